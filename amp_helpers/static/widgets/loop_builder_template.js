// The training loop with all its choices, one line of text per line of code, and why each block stands where it does.
// Read by the page and by amp_helpers.widgets.loop_code alike, so it is plain text:
//   @ id | title          begins a block; a block without a line of code under the choices at hand is left out
//   > {flags} sentence    a reason        | code   {flags}| code   a line of code
// Flags are those of flagsOf: all of them must hold, "!" negates. In code, "^" is one more indentation under autocast,
// "~" one more under accumulation, N_MICRO the number of micro-batches, DTYPE autocast's dtype, RETAIN backward's argument.

export const TEMPLATE = `
@ imports | Imports
> PyTorch is all that the loop needs.
| import torch
| import torch.nn.functional as F
| from torch import nn
{scheduler}| from torch.optim.lr_scheduler import CosineAnnealingLR
@ device | One device for everything
> The loop asks this variable and nothing else, so it runs on a GPU and on a CPU without a change.
|
| device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
@ tf32 | The TF32 switch
> TF32 is a switch of the backend, set once before the loop; the loop itself stays that of FP32.
> Tensors, gradients and weights stay float32; matrix products on a GPU round their inputs to TF32. Convolutions do so by default.
> Newer versions of torch have a new name for the switch, so the code asks which one is there. On a CPU it changes nothing.
{tf32}| if hasattr(torch.backends.cuda.matmul, "fp32_precision"):
{tf32}|     torch.backends.cuda.matmul.fp32_precision = "tf32"
{tf32}| else:
{tf32}|     torch.backends.cuda.matmul.allow_tf32 = True
@ yours | Your model and your data
> This block stands in for yours.
> {autocast} The weights stay float32: no .half(), no .bfloat16(). Autocast casts copies of them for the forward pass.
> {two} The second model rebuilds the inputs from the first one's outputs, so its loss reaches both models.
|
| # Yours: a model, and batches of inputs and targets.
| torch.manual_seed(0)
| model = nn.Sequential(nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 10))
| model.to(device)
{two}| decoder = nn.Linear(10, 64).to(device)
| batches = [
|     (torch.randn(16, 64), torch.randint(10, (16,))) for _ in range(24)
| ]
@ optimizer | The optimizer
> {!two} The optimizer gets its parameters after the model has moved to the device.
> {two} Each optimizer owns the parameters of one model. No parameter is in both.
> {autocast} It updates float32 weights with float32 gradients, as without autocast.
|
| optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
{two}| decoder_optimizer = torch.optim.SGD(decoder.parameters(), lr=0.1)
@ accumulate | How many micro-batches make one step
> Gradients of this many micro-batches are added up before the optimizer steps: N_MICRO times the batch, with the activations of one micro-batch in memory.
> Layers that look at the whole batch, such as BatchNorm, still see one micro-batch.
{accumulate}| accumulate = N_MICRO
@ schedule | The scheduler
> {!accumulate} Its length is a number of optimizer steps: here one per batch.
> {accumulate} Its length is a number of optimizer steps, not of micro-batches.
> {two} Each optimizer has its own.
{scheduler accumulate}| num_steps = len(batches) // accumulate
{scheduler !accumulate}| num_steps = len(batches)
{scheduler}| scheduler = CosineAnnealingLR(optimizer, num_steps)
{scheduler two}| decoder_scheduler = CosineAnnealingLR(decoder_optimizer, num_steps)
@ scaler | The loss scaler
> A float16 gradient below 2⁻²⁵ becomes zero. The scaler multiplies the loss by a large number, so that fewer gradients fall that low, and divides it out before the step.
> It is made once, before the loop: it remembers its scale from step to step.
> {two} One scaler serves both optimizers: all losses of a step need the same scale.
{fp16}| scaler = torch.amp.GradScaler(device.type)
@ loop | The loop
> {!accumulate} One batch, one step of the optimizer.
> {accumulate} Micro-batches are counted from 1, so the count can be divided by accumulate.
> {autocast} The inputs stay float32: autocast casts them where an op wants it.
|
{accumulate}| for count, (inputs, targets) in enumerate(batches, 1):
{!accumulate}| for inputs, targets in batches:
|     inputs, targets = inputs.to(device), targets.to(device)
@ forward | Forward pass and loss
> {autocast} The region holds the forward pass and the loss, and nothing else. Inside, matrix products run in DTYPE, and ops that need the range or the digits run in float32.
> {autocast} It is opened anew for each forward pass: its cache of cast weights must not outlive a step.
> {!autocast} Every tensor is float32 here, and no region is needed.
> {two} Both losses are computed in this one forward pass.
{autocast}|     with torch.autocast(device.type, dtype=torch.DTYPE):
|    ^outputs = model(inputs)
|    ^loss = F.cross_entropy(outputs, targets)
{two}|    ^decoder_loss = F.mse_loss(decoder(outputs), inputs)
@ backward | Backward pass
> Adds the gradient of the loss to each parameter's .grad.
> {autocast} It stands outside the region: each backward op runs in the dtype of its forward op by itself.
> {fp16} The loss is scaled first, so that all gradients are multiplied by the scale.
> {accumulate} Dividing by accumulate makes the sum of the micro-batches' gradients the mean that one large batch would give, if all have the same size.
> {two} The decoder's loss goes back through the first model once more, so the first call keeps the graph. Losses that share nothing need no retain_graph.
{fp16 accumulate}|     scaler.scale(loss / accumulate).backward(RETAIN)
{fp16 !accumulate}|     scaler.scale(loss).backward(RETAIN)
{!fp16 accumulate}|     (loss / accumulate).backward(RETAIN)
{!fp16 !accumulate}|     loss.backward(RETAIN)
{fp16 accumulate two}|     scaler.scale(decoder_loss / accumulate).backward()
{fp16 !accumulate two}|     scaler.scale(decoder_loss).backward()
{!fp16 accumulate two}|     (decoder_loss / accumulate).backward()
{!fp16 !accumulate two}|     decoder_loss.backward()
@ boundary | The accumulation boundary
> Everything below belongs to the optimizer step, so it runs once per accumulate micro-batches. Until then gradients only add up.
> {fp16} The scale must not change in between: gradients of two scales cannot be added. So unscale_(), step() and update() all wait for this line.
> Micro-batches left over at the end make no step here.
{accumulate}|     if count % accumulate == 0:
@ unscale | Unscale before clipping
> The gradients are still multiplied by the scale. unscale_() divides them in place, so that the next line measures their true norm.
> It comes once per optimizer and step, after the last backward(). scaler.step() sees that it was done and does not divide again.
{fp16 clip}|    ~scaler.unscale_(optimizer)
{fp16 clip two}|    ~scaler.unscale_(decoder_optimizer)
@ clip | Clip the gradients
> After the whole backward pass, because the norm is that of all gradients together; before the step, because the step uses them.
> {fp16} If the norm is inf or NaN, the clipped gradients are of no use, and scaler.step() skips: it goes by what unscale_() found.
> {two} Each model is clipped by its own norm.
{clip}|    ~nn.utils.clip_grad_norm_(model.parameters(), max_norm=1.0)
{clip two}|    ~nn.utils.clip_grad_norm_(decoder.parameters(), max_norm=1.0)
@ step | The optimizer step
> {!fp16} It uses the gradients as they are now.
> {fp16 !clip} scaler.step() divides the gradients by the scale and looks for inf and NaN. If it finds one, it skips the optimizer's step.
> {fp16 clip} The gradients are unscaled already. scaler.step() skips the optimizer's step if unscale_() found an inf or a NaN.
> {fp16 two} Each optimizer is checked and skipped by itself.
{fp16}|    ~scaler.step(optimizer)
{!fp16}|    ~optimizer.step()
{fp16 two}|    ~scaler.step(decoder_optimizer)
{!fp16 two}|    ~decoder_optimizer.step()
@ update | Update the scale
> Halves the scale if an inf or a NaN was found, and doubles it after 2000 steps in a row without one.
> {!two} Once per step, after scaler.step().
> {two} Once per step, after both scaler.step(): between them the scale must not change.
> {scheduler} The scale is read before, so that the next line can see whether it fell.
{fp16 scheduler}|    ~scale = scaler.get_scale()
{fp16}|    ~scaler.update()
@ schedule-step | Step the scheduler
> {!fp16 !two} After optimizer.step(), once per optimizer step.
> {!fp16 two} After both optimizers' steps, once per step.
> {fp16} A scale that fell means that a step was skipped. The schedule then waits, because it counts steps of the optimizer.
> {fp16} get_scale() waits for the GPU.
> {fp16 two} If only one optimizer was skipped, both schedules wait: no public call says which one it was.
{scheduler fp16}|    ~if scaler.get_scale() >= scale:
{scheduler fp16}|    ~    scheduler.step()
{scheduler fp16 two}|    ~    decoder_scheduler.step()
{scheduler !fp16}|    ~scheduler.step()
{scheduler !fp16 two}|    ~decoder_scheduler.step()
@ zero | Empty the gradients
> backward() adds to what is in .grad, so the next step has to start without any. By default .grad becomes None, which frees its memory.
> {accumulate} Inside the boundary: in every micro-batch it would throw away what was added up.
|    ~optimizer.zero_grad()
{two}|    ~decoder_optimizer.zero_grad()
@ end | Read the loss once
> item() waits for the GPU. Inside the loop it would do so in every step; log it every hundred steps instead.
|
| print(f"last loss {loss.item():.3f}")
`;
