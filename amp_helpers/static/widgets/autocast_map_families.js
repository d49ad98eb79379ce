// Why autocast treats an op as it does: ops in families, one short reason each. And which ops a layer calls.
// Which category an op has is never said here: that comes from the policies that Python exports.

const words = (text) => text.trim().split(/\s+/);

/** Families by why an op has its dtype. `reason` holds while the category is one of `when`, on every device or on `device`. */
export const FAMILIES = [
  {
    id: "matrix", when: ["lower precision"],
    reason: "Matrix products and convolutions: matrix units read 16-bit numbers fast and add the products up in wide accumulators.",
    ops: words(`linear matmul mm bmm addmm addbmm baddbmm addmv addr mv chain_matmul linalg_multi_dot einsum _addmm_activation
      conv1d conv2d conv3d conv_tbc conv_transpose1d conv_transpose2d conv_transpose3d convolution _convolution cudnn_convolution
      cudnn_convolution_transpose linalg_vecdot`),
  },
  {
    id: "attention", when: ["lower precision"],
    reason: "Attention is two matrix products with a softmax between them, which the kernel computes in wide numbers inside.",
    ops: words("scaled_dot_product_attention _scaled_dot_product_flash_attention _native_multi_head_attention"),
  },
  {
    id: "recurrent", when: ["lower precision"],
    reason: "A recurrent cell is mostly matrix products with its weights.",
    ops: words(`lstm_cell gru_cell rnn_tanh_cell rnn_relu_cell _thnn_fused_lstm_cell _thnn_fused_gru_cell _cudnn_rnn mkldnn_rnn_layer`),
  },
  {
    id: "weighted", when: ["lower precision"],
    reason: "It has a weight that must have the dtype of its input, which mostly comes from a convolution.",
    ops: words("prelu"),
  },
  {
    id: "steep", when: ["float32"],
    reason: "Exponentials, logarithms, powers and other steep functions: results soon leave float16's range, and small input errors grow.",
    ops: words("exp expm1 log log10 log1p log2 pow reciprocal rsqrt sinh cosh tan acos asin erfinv softplus"),
  },
  {
    id: "softmax", when: ["float32"],
    reason: "It adds up exponentials: these soon leave float16's range, and the sum has many terms.",
    ops: words("softmax log_softmax logsumexp"),
  },
  {
    id: "sum", when: ["float32"],
    reason: "Sums, products and norms take in many terms: in 16 bits the small ones are swamped, and the total may overflow.",
    ops: words(`sum prod cumsum cumprod norm renorm frobenius_norm nuclear_norm linalg_vector_norm linalg_matrix_norm dist pdist cdist
      cosine_similarity layer_norm native_layer_norm group_norm rms_norm`),
  },
  {
    id: "interpolate", when: ["float32"],
    reason: "Interpolation forms weighted sums of neighbours, and its backward adds many gradients into one place.",
    ops: words(`upsample_nearest1d upsample_nearest2d upsample_nearest3d _upsample_nearest_exact1d _upsample_nearest_exact2d
      _upsample_nearest_exact3d upsample_linear1d upsample_bilinear2d _upsample_bilinear2d_aa upsample_trilinear3d upsample_bicubic2d
      _upsample_bicubic2d_aa grid_sampler grid_sampler_2d grid_sampler_3d _grid_sampler_2d_cpu_fallback`),
  },
  {
    id: "loss", when: ["float32"],
    reason: "A loss adds up many terms, often logarithms or squares, and every gradient starts from it.",
    ops: words(`cross_entropy_loss nll_loss nll_loss2d mse_loss l1_loss smooth_l1_loss huber_loss kl_div poisson_nll_loss
      binary_cross_entropy_with_logits soft_margin_loss hinge_embedding_loss margin_ranking_loss triplet_margin_loss
      cosine_embedding_loss multilabel_margin_loss multilabel_margin_loss_forward multi_margin_loss ctc_loss
      binary_cross_entropy`),
  },
  {
    id: "kernel", when: ["float32"], device: "cpu",
    reason: "The CPU has no kernel of it for both 16-bit dtypes: without the cast it would raise an error.",
    ops: words(`fft_fft fft_fft2 fft_fftn fft_ifft fft_ifft2 fft_ifftn fft_rfft fft_rfft2 fft_rfftn fft_irfft fft_irfft2 fft_irfftn
      fft_hfft fft_ihfft stft polar view_as_complex quantile nanquantile avg_pool3d geqrf orgqr ormqr inverse pinverse svd qr cholesky
      triangular_solve cholesky_inverse cholesky_solve lu_solve _lu_with_info linalg_cholesky linalg_cholesky_ex linalg_cond linalg_eig
      linalg_eigh linalg_eigvals linalg_eigvalsh linalg_householder_product linalg_inv linalg_inv_ex linalg_lstsq linalg_matrix_rank
      linalg_matrix_sqrth linalg_qr linalg_solve linalg_svd linalg_svdvals linalg_tensorinv linalg_tensorsolve`),
  },
  {
    id: "kept", when: ["float32"], device: "cpu",
    reason: "PyTorch's list for the CPU names it, though the kernel of torch 2.15 takes 16-bit input too.",
    ops: words(`trace max_pool3d adaptive_avg_pool3d adaptive_max_pool3d fractional_max_pool2d fractional_max_pool3d max_unpool2d
      max_unpool3d reflection_pad1d reflection_pad2d replication_pad1d replication_pad2d replication_pad3d fake_quantize_per_tensor_affine`),
  },
  {
    id: "decomposition", when: ["float32"], device: "cuda",
    reason: "It decomposes a matrix, and small eigenvalues drown in 16-bit rounding errors.",
    ops: words("linalg_matrix_sqrth"),
  },
  {
    id: "several", when: ["widest"],
    reason: "It takes several tensors that need one dtype: all are cast to the widest among them.",
    ops: words(`addcdiv addcmul atan2 bilinear cross dot vdot tensordot index_put scatter_add cat stack index_copy grid_sampler`),
  },
  {
    id: "gradient", when: ["banned"],
    reason: "Its gradients often cannot be represented in 16 bits, so autocast refuses it. Use binary_cross_entropy_with_logits.",
    ops: words("binary_cross_entropy"),
  },
];

/** Reasons for what is in no family. */
export const GENERAL = {
  "lower precision": "Cast to the autocast dtype, as torch's registration says.",
  float32: "Cast to float32, as torch's registration says.",
  widest: "All its inputs are cast to the widest dtype among them, as torch's registration says.",
  banned: "Autocast refuses it.",
  "not classified": "It is registered with autocast, but no example of it could be run, so its dtype is not known here.",
  unlisted: "Autocast does not touch it: it computes in the dtype that its input has.",
  composed: "No list of autocast names it, but it calls ops that one does:",
  unknown: "No list of autocast names it here. An op that is on no list keeps its input's dtype, but a function may call ops that are.",
};

/** Ops that a reader may ask for although autocast lists them nowhere. */
export const COMMON_UNLISTED = words(`relu leaky_relu elu selu celu gelu silu mish hardswish hardsigmoid hardtanh sigmoid log_sigmoid tanh
  threshold glu dropout feature_dropout alpha_dropout batch_norm instance_norm max_pool1d max_pool2d avg_pool1d avg_pool2d
  adaptive_avg_pool1d adaptive_avg_pool2d adaptive_max_pool1d adaptive_max_pool2d local_response_norm normalize softmin gumbel_softmax pairwise_distance matrix_power embedding embedding_bag flatten unflatten
  pixel_shuffle channel_shuffle add sub mul div mean max min abs sqrt square clamp where sin cos transpose reshape unfold lstm gru rnn_tanh`);

// Ops that a device's list lacks although it has the ops that they are made of.
const MADE_OF = {
  cpu: `
chain_matmul linalg_multi_dot tensordot: mm
einsum bilinear: bmm
lstm_cell gru_cell rnn_tanh_cell rnn_relu_cell gru rnn_tanh: linear
lstm: mkldnn_rnn_layer
local_response_norm: avg_pool3d
matrix_power: matmul`,
  cuda: `
cross_entropy_loss: nll_loss
square local_response_norm: pow
normalize: linalg_vector_norm
pairwise_distance: norm
softmin: softmax
gumbel_softmax: log softmax
matrix_power: matmul
lstm gru rnn_tanh: _cudnn_rnn
pinverse: reciprocal matmul`,
};

// One line per group: layers, then the ops they call.
const TABLE = `
Linear NonDynamicallyQuantizableLinear LazyLinear: linear
Bilinear: bilinear
Conv1d LazyConv1d: conv1d
Conv2d LazyConv2d: conv2d
Conv3d LazyConv3d: conv3d
ConvTranspose1d: conv_transpose1d
ConvTranspose2d: conv_transpose2d
ConvTranspose3d: conv_transpose3d
LSTM: lstm
GRU: gru
RNN: rnn_tanh
LSTMCell: lstm_cell
GRUCell: gru_cell
RNNCell: rnn_tanh_cell
MultiheadAttention: linear bmm softmax scaled_dot_product_attention
LayerNorm: layer_norm
RMSNorm: rms_norm
LocalResponseNorm: local_response_norm
GroupNorm: group_norm
BatchNorm1d BatchNorm2d BatchNorm3d SyncBatchNorm: batch_norm
InstanceNorm1d InstanceNorm2d InstanceNorm3d: instance_norm
Softmax Softmax2d Softmin: softmax
LogSoftmax: log_softmax
Softplus: softplus
PReLU: prelu
ReLU: relu
ReLU6: hardtanh
LeakyReLU: leaky_relu
ELU: elu
SELU: selu
CELU: celu
GELU: gelu
SiLU: silu
Mish: mish
Hardswish: hardswish
Hardsigmoid: hardsigmoid
Hardtanh: hardtanh
Sigmoid: sigmoid
LogSigmoid: log_sigmoid
Tanh: tanh
GLU: glu
Dropout: dropout
Dropout1d Dropout2d Dropout3d: feature_dropout
AlphaDropout: alpha_dropout
MaxPool1d: max_pool1d
MaxPool2d: max_pool2d
MaxPool3d: max_pool3d
AvgPool1d: avg_pool1d
AvgPool2d: avg_pool2d
AvgPool3d: avg_pool3d
AdaptiveAvgPool1d: adaptive_avg_pool1d
AdaptiveAvgPool2d: adaptive_avg_pool2d
AdaptiveAvgPool3d: adaptive_avg_pool3d
AdaptiveMaxPool1d: adaptive_max_pool1d
AdaptiveMaxPool2d: adaptive_max_pool2d
AdaptiveMaxPool3d: adaptive_max_pool3d
ReflectionPad1d: reflection_pad1d
ReflectionPad2d: reflection_pad2d
ReplicationPad1d: replication_pad1d
ReplicationPad2d: replication_pad2d
ReplicationPad3d: replication_pad3d
Embedding: embedding
EmbeddingBag: embedding_bag
Flatten: flatten
Unflatten: unflatten
PixelShuffle: pixel_shuffle
UpsamplingNearest2d: upsample_nearest2d
UpsamplingBilinear2d: upsample_bilinear2d
CosineSimilarity: cosine_similarity
PairwiseDistance: pairwise_distance
CrossEntropyLoss cross_entropy: cross_entropy_loss
NLLLoss: nll_loss
MSELoss: mse_loss
L1Loss: l1_loss
SmoothL1Loss: smooth_l1_loss
HuberLoss: huber_loss
KLDivLoss: kl_div
PoissonNLLLoss: poisson_nll_loss
BCELoss: binary_cross_entropy
BCEWithLogitsLoss: binary_cross_entropy_with_logits
SoftMarginLoss: soft_margin_loss
HingeEmbeddingLoss: hinge_embedding_loss
MarginRankingLoss: margin_ranking_loss
TripletMarginLoss: triplet_margin_loss
CosineEmbeddingLoss: cosine_embedding_loss
MultiLabelMarginLoss: multilabel_margin_loss
MultiMarginLoss: multi_margin_loss
CTCLoss: ctc_loss`;

const readTable = (text) => new Map(text.trim().split("\n").flatMap((line) => {
  const [names, ops] = line.split(": ");
  return words(names).map((name) => [name, words(ops)]);
}));

/** Layer -> the ops it calls. */
export const LAYERS = readTable(TABLE);

/** Device -> op -> the listed ops that it is made of. */
export const PARTS = { cpu: readTable(MADE_OF.cpu), cuda: readTable(MADE_OF.cuda) };

/** Modules that call other modules and no op of their own. */
export const CONTAINERS = words("Sequential ModuleList ModuleDict ParameterList ParameterDict Identity");
