// Bytes of a training step in closed form, as memory_formula.py has them; tests hold both to predict_memory.

export const KINDS = ["parameters", "gradients", "optimizer", "casts", "activations"];
// Recipe -> bytes of a weight, bytes of a number that a matrix product reads.
const RECIPES = { "32-true": [4, 4], "16-mixed": [4, 2], "bf16-mixed": [4, 2], "bf16-true": [2, 2] };
// Optimizer -> copies of the weights, bytes that it keeps for each tensor.
const OPTIMIZERS = { sgd: [0, 0], "sgd-momentum": [1, 0], adam: [2, 4], adamw: [2, 4] };
export const CHOICES = {
  model: ["gpt", "mlp", "parameters"], recipe: Object.keys(RECIPES), optimizer: Object.keys(OPTIMIZERS), attention: ["fused", "plain"], device: ["cuda", "cpu"],
};
/** Model -> the sizes that it has, besides the batch. */
export const SIZES = { gpt: ["layers", "width", "heads", "vocabulary", "context"], mlp: ["layers", "width", "inputs", "outputs"], parameters: ["parameters"] };
/** The largest value of each; the smallest is 1. */
export const LARGEST = {
  layers: 1000, width: 1e5, heads: 1000, vocabulary: 1e7, context: 1e6, inputs: 1e7, outputs: 1e7, parameters: 1e13, batch: 1e6,
};

/** [parameters, those that autocast casts, tensors]. */
function modelSize(c) {
  if (c.model === "parameters") return [c.parameters, c.parameters, 0];
  if (c.model === "mlp") {
    const hidden = (c.layers - 1) * (c.width * c.width + c.width);
    const count = c.inputs * c.width + c.width + hidden + c.width * c.outputs + c.outputs;
    return [count, count, 2 * (c.layers + 1)];
  }
  const cast = c.layers * (12 * c.width * c.width + 9 * c.width) + c.vocabulary * c.width;
  // The embeddings of positions and the norms are not cast.
  return [cast + c.context * c.width + (2 * c.layers + 1) * 2 * c.width, cast, 4 + 12 * c.layers];
}

/** What cross-entropy saves: log-softmax, the targets, one sum of weights. Under autocast CUDA keeps log-softmax twice. */
const lossBytes = (rows, classes, c, weight, low) => rows * (classes * (keptTwice(c, weight, low) ? low + 4 : weight) + 8) + weight;
const keptTwice = (c, weight, low) => low < weight && c.device === "cuda";

/**
 * What the backward pass of cross-entropy holds on top: the gradients of log-softmax and of the logits. Where log-softmax is kept
 * twice, its float32 copy goes before the second gradient comes, and that one has 16 bits.
 */
const lossBackward = (rows, classes, c, weight, low) => rows * classes * weight * (keptTwice(c, weight, low) ? 1 : 2);

function gptActivations(c, weight, low) {
  const rows = c.batch * c.context, stream = rows * c.width;
  const norm = stream * weight + 2 * rows * (c.device === "cpu" && weight === 2 ? 2 : 4);
  // With a single head or example v is a view of all of q, k and v, and keeps them.
  const view = low === 4 && (c.heads === 1 || c.batch === 1);
  const attention = c.attention === "fused"
    ? 3 * stream * low + c.batch * c.heads * c.context * 4
    : (view ? 5 : 3) * stream * 4 + c.batch * c.heads * c.context * c.context * 4;
  const block = 2 * norm + attention + 11 * stream * low;
  const ends = norm + stream * low + c.context * 8;
  const total = c.layers * (c.checkpointing ? stream * weight : block) + ends + lossBytes(rows, c.vocabulary, c, weight, low);
  return { total, block };
}

/** Bytes by kind; `activations` is null where only a number of parameters is known. `recomputed` and `temporary` come on top in the backward pass. */
export function stepBytes(c) {
  const [weight, low] = RECIPES[c.recipe], mixed = low < weight;
  const [copies, each] = OPTIMIZERS[c.optimizer];
  const [count, cast, tensors] = modelSize(c);
  let activations = null, recomputed = 0, temporary = null;
  if (c.model === "gpt") {
    const { total, block } = gptActivations(c, weight, low);
    activations = total;
    recomputed = c.checkpointing ? block : 0;
    temporary = lossBackward(c.batch * c.context, c.vocabulary, c, weight, low);
  } else if (c.model === "mlp") {
    activations = c.batch * (c.layers * c.width * low + (mixed ? c.inputs * low : 0)) + lossBytes(c.batch, c.outputs, c, weight, low);
    temporary = lossBackward(c.batch, c.outputs, c, weight, low);
  }
  return { parameters: count * weight, gradients: count * weight, optimizer: copies * count * weight + each * tensors, casts: mixed ? cast * low : 0, activations, recomputed, temporary };
}

export const totalOf = (bytes) => KINDS.reduce((sum, kind) => sum + (bytes[kind] ?? 0), 0);

/** What a step needs at least. While the loss's backward pass runs no weight has a gradient, so only the larger of the two counts. */
export const neededOf = (bytes) => totalOf(bytes) - bytes.gradients + Math.max(bytes.gradients, bytes.temporary ?? 0);

export const parametersOf = (c) => modelSize(c)[0];

/** The largest batch whose needs fit into `capacity` bytes; null where activations are not known, 0 where not even one fits. */
export function largestBatch(c, capacity) {
  if (c.model === "parameters") return null;
  const fits = (batch) => neededOf(stepBytes({ ...c, batch })) <= capacity;
  if (!fits(1)) return 0;
  let low = 1, high = 2;
  while (high < LARGEST.batch && fits(high)) [low, high] = [high, high * 2];
  high = Math.min(high, LARGEST.batch + 1);
  while (high - low > 1) {
    const middle = Math.floor((low + high) / 2);
    if (fits(middle)) low = middle;
    else high = middle;
  }
  return low;
}
