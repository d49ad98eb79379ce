"""One call per op that autocast knows: the arguments it is probed with.

The key is the overload's name in the dispatcher, without the namespace: "mm", "prod.dim_int". The value is a function
that gets `t` and returns the positional arguments: `t(2, 3)` is a floating tensor in the dtype of the probe,
`t.index(2)` an integer tensor, `t.float16(2)` one that is float16 in every probe. The tensors are fake: they have a
shape and a dtype, but no values.
"""

from __future__ import annotations

from collections.abc import Callable


def _same(names: str, arguments: Callable) -> dict[str, Callable]:
    """The same arguments for every op named."""
    return dict.fromkeys(names.split(), arguments)


MATRIX_PRODUCTS = {
    **_same("mm matmul linear", lambda t: (t(8, 8), t(8, 8))),
    **_same("linalg_vecdot", lambda t: (t(8, 8), t(8, 8))),
    **_same("addmm _addmm_activation", lambda t: (t(8, 8), t(8, 8), t(8, 8))),
    **_same("baddbmm", lambda t: (t(2, 8, 8), t(2, 8, 8), t(2, 8, 8))),
    **_same("chain_matmul linalg_multi_dot", lambda t: ([t(8, 8), t(8, 8), t(8, 8)],)),
    **_same("dot vdot", lambda t: (t(8), t(8))),
    "bmm": lambda t: (t(2, 8, 8), t(2, 8, 8)),
    "mv": lambda t: (t(8, 8), t(8)),
    "addmv": lambda t: (t(8), t(8, 8), t(8)),
    "addr": lambda t: (t(8, 8), t(8), t(8)),
    "addbmm": lambda t: (t(8, 8), t(2, 8, 8), t(2, 8, 8)),
    "einsum": lambda t: ("ij,jk->ik", [t(8, 8), t(8, 8)]),
    "tensordot": lambda t: (t(8, 8), t(8, 8), [1], [0]),
    "bilinear": lambda t: (t(8, 8), t(8, 8), t(8, 8, 8)),
}

_IMAGE = lambda t: (t(2, 8, 8, 8), t(8, 8, 3, 3))  # noqa: E731
_ONES, _ZEROS = [1, 1], [0, 0]
CONVOLUTIONS = {
    **_same("conv1d conv1d.padding conv_transpose1d", lambda t: (t(2, 8, 8), t(8, 8, 3))),
    **_same("conv2d conv2d.padding conv_transpose2d.input", _IMAGE),
    **_same("conv3d conv3d.padding conv_transpose3d.input", lambda t: (t(2, 8, 8, 8, 8), t(8, 8, 3, 3, 3))),
    "conv_tbc": lambda t: (t(8, 2, 8), t(3, 8, 8), t(8)),
    "convolution": lambda t: (*_IMAGE(t), None, _ONES, _ZEROS, _ONES, False, _ZEROS, 1),
    "_convolution": lambda t: (*_IMAGE(t), None, _ONES, _ZEROS, _ONES, False, _ZEROS, 1, False, False, True, True),
    "_convolution.deprecated": lambda t: (
        *(*_IMAGE(t), None, _ONES, _ZEROS, _ONES),
        *(False, _ZEROS, 1, False, False, True),
    ),
    "cudnn_convolution": lambda t: (*_IMAGE(t), _ZEROS, _ONES, _ONES, 1, False, False, True),
    "cudnn_convolution_transpose": lambda t: (*_IMAGE(t), _ZEROS, _ZEROS, _ONES, _ONES, 1, False, False, True),
    "_mps_convolution": lambda t: (*_IMAGE(t), None, _ZEROS, _ONES, _ONES, 1),
}

_ATTENTION = lambda t: (t(1, 2, 8, 8), t(1, 2, 8, 8), t(1, 2, 8, 8))  # noqa: E731
ATTENTION_AND_RECURRENT = {
    **_same("scaled_dot_product_attention _scaled_dot_product_flash_attention", _ATTENTION),
    "_native_multi_head_attention": lambda t: (
        *(t(2, 8, 8), t(2, 8, 8), t(2, 8, 8), 8, 2),
        *(t(24, 8), t(24), t(8, 8), t(8)),
    ),
    "lstm_cell": lambda t: (t(2, 8), [t(2, 8), t(2, 8)], t(32, 8), t(32, 8), t(32), t(32)),
    "gru_cell": lambda t: (t(2, 8), t(2, 8), t(24, 8), t(24, 8), t(24), t(24)),
    **_same("rnn_relu_cell rnn_tanh_cell", lambda t: (t(2, 8), t(2, 8), t(8, 8), t(8, 8), t(8), t(8))),
    "_thnn_fused_lstm_cell": lambda t: (t(2, 32), t(2, 32), t(2, 8), t(32), t(32)),
    "_thnn_fused_gru_cell": lambda t: (t(2, 24), t(2, 24), t(2, 8), t(24), t(24)),
    "_cudnn_rnn": lambda t: (
        # With other weights, cuDNN itself would be called to copy them into its buffer: fake ones have no memory.
        *(t(5, 2, 8), [t.float16(*shape) for shape in ((8, 8), (8, 8), (8,), (8,))], 4, None, t(1, 2, 8), None),
        *(0, 8, 0, 1, False, 0.0, False, False, [], None),
    ),
    "mkldnn_rnn_layer": lambda t: (
        *(t(5, 2, 8), t(32, 8), t(32, 8), t(32), t(32), t(1, 2, 8), t(1, 2, 8)),
        *(False, [], 2, 8, 1, True, False, False, False),
    ),
}

ELEMENT_WISE = {
    **_same("acos asin cosh erfinv exp expm1 log log10 log1p log2 reciprocal", lambda t: (t(8),)),
    **_same("rsqrt sinh softplus tan", lambda t: (t(8),)),
    **_same("addcdiv addcmul", lambda t: (t(8), t(8), t(8))),
    **_same("atan2 polar pow.Tensor_Tensor", lambda t: (t(8), t(8))),
    "pow.Scalar": lambda t: (2, t(8)),
    "pow.Tensor_Scalar": lambda t: (t(8), 2),
    "prelu": lambda t: (t(8, 8), t(8)),
    "cross": lambda t: (t(8, 3), t(8, 3), 1),
    "view_as_complex": lambda t: (t(8, 2),),
    "fake_quantize_per_tensor_affine": lambda t: (t(8), 0.1, 0, 0, 255),
}

REDUCTIONS = {
    **_same("prod sum norm.Scalar linalg_vector_norm", lambda t: (t(8, 8),)),
    **_same("nuclear_norm linalg_matrix_norm.str_ord trace", lambda t: (t(8, 8),)),
    **_same("prod.dim_int cumprod cumsum", lambda t: (t(8, 8), 0)),
    **_same("sum.dim_IntList frobenius_norm.dim logsumexp", lambda t: (t(8, 8), [1])),
    "norm.ScalarOpt_dim": lambda t: (t(8, 8), 2, [1]),
    "nuclear_norm.dim": lambda t: (t(8, 8), [0, 1]),
    "linalg_matrix_norm": lambda t: (t(8, 8), 1),
    **_same("quantile nanquantile", lambda t: (t(8), t(1))),
    **_same("quantile.scalar nanquantile.scalar", lambda t: (t(8), 0.5)),
    **_same("dist cdist cosine_similarity", lambda t: (t(8, 8), t(8, 8))),
    "pdist": lambda t: (t(8, 8),),
}

NORMALIZATION = {
    **_same("softmax.int log_softmax.int", lambda t: (t(8, 8), 1)),
    **_same("layer_norm rms_norm", lambda t: (t(8, 8), [8], t(8))),
    "native_layer_norm": lambda t: (t(8, 8), [8], t(8), t(8), 1e-5),
    "group_norm": lambda t: (t(2, 8, 8), 2, t(8), t(8)),
    "batch_norm": lambda t: (t(2, 8, 8), t(8), t(8), None, None, True, 0.1, 1e-5, False),
    "renorm": lambda t: (t(8, 8), 2, 0, 1.0),
}

_PAIR = lambda t: (t(8, 8), t(8, 8))  # noqa: E731
LOSSES = {
    **_same("binary_cross_entropy binary_cross_entropy_with_logits kl_div mse_loss l1_loss", _PAIR),
    **_same("smooth_l1_loss huber_loss soft_margin_loss hinge_embedding_loss", _PAIR),
    "poisson_nll_loss": lambda t: (*_PAIR(t), True, False, 1e-8, 1),
    "cosine_embedding_loss": lambda t: (*_PAIR(t), t.index(8)),
    "margin_ranking_loss": lambda t: (t(8), t(8), t(8)),
    "triplet_margin_loss": lambda t: (*_PAIR(t), t(8, 8)),
    **_same("nll_loss cross_entropy_loss multi_margin_loss", lambda t: (t(8, 8), t.index(8))),
    "nll_loss2d": lambda t: (t(2, 8, 4, 4), t.index(2, 4, 4)),
    "multilabel_margin_loss": lambda t: (t(8, 8), t.index(8, 8)),
    "multilabel_margin_loss_forward": lambda t: (t(8, 8), t.index(8, 8), 1),
    "ctc_loss.IntList": lambda t: (t(8, 2, 5), t.index(2, 3), [8, 8], [3, 3]),
    "ctc_loss.Tensor": lambda t: (t(8, 2, 5), t.index(2, 3), t.index(2), t.index(2)),
}

_GRID = lambda t: (t(2, 3, 8, 8), t(2, 8, 8, 2), 0, 0, False)  # noqa: E731
RESAMPLING = {
    "avg_pool3d": lambda t: (t(2, 3, 8, 8, 8), [2, 2, 2]),
    "max_pool3d": lambda t: (t(2, 3, 8, 8, 8), [2, 2, 2]),
    **_same("adaptive_avg_pool3d adaptive_max_pool3d", lambda t: (t(2, 3, 8, 8, 8), [2, 2, 2])),
    "fractional_max_pool2d": lambda t: (t(2, 3, 8, 8), [2, 2], [4, 4], t(2, 3, 2)),
    "fractional_max_pool3d": lambda t: (t(2, 3, 8, 8, 8), [2, 2, 2], [4, 4, 4], t(2, 3, 3)),
    "max_unpool2d": lambda t: (t(2, 3, 4, 4), t.index(2, 3, 4, 4), [8, 8]),
    "max_unpool3d": lambda t: (t(2, 3, 4, 4, 4), t.index(2, 3, 4, 4, 4), [8, 8, 8], [2, 2, 2], [0, 0, 0]),
    **_same("reflection_pad1d replication_pad1d", lambda t: (t(2, 3, 8), [1, 1])),
    **_same("reflection_pad2d replication_pad2d", lambda t: (t(2, 3, 8, 8), [1] * 4)),
    "replication_pad3d": lambda t: (t(2, 3, 8, 8, 8), [1] * 6),
    **_same("grid_sampler grid_sampler_2d _grid_sampler_2d_cpu_fallback", _GRID),
    "grid_sampler_3d": lambda t: (t(2, 3, 8, 8, 8), t(2, 8, 8, 8, 3), 0, 0, False),
    **_same("upsample_nearest1d _upsample_nearest_exact1d", lambda t: (t(2, 3, 8), [16])),
    **_same("upsample_nearest2d _upsample_nearest_exact2d", lambda t: (t(2, 3, 8, 8), [16, 16])),
    **_same("upsample_nearest3d _upsample_nearest_exact3d", lambda t: (t(2, 3, 8, 8, 8), [16, 16, 16])),
    "upsample_linear1d": lambda t: (t(2, 3, 8), [16], False),
    **_same("upsample_bilinear2d upsample_bicubic2d", lambda t: (t(2, 3, 8, 8), [16, 16], False)),
    **_same("_upsample_bilinear2d_aa _upsample_bicubic2d_aa", lambda t: (t(2, 3, 8, 8), [16, 16], False)),
    "upsample_trilinear3d": lambda t: (t(2, 3, 8, 8, 8), [16, 16, 16], False),
}

INDEXING_AND_JOINING = {
    **_same("cat stack", lambda t: ([t(8), t(8)],)),
    "index_copy": lambda t: (t(8, 8), 0, t.index(4), t(4, 8)),
    "index_put": lambda t: (t(8), [t.index(4)], t(4)),
    "scatter_add": lambda t: (t(8, 8), 0, t.index(8, 8), t(8, 8)),
}

_SQUARE = lambda t: (t(8, 8),)  # noqa: E731
LINEAR_ALGEBRA = {
    **_same("_lu_with_info cholesky cholesky_inverse geqrf inverse pinverse qr svd linalg_matrix_sqrth", _SQUARE),
    **_same("linalg_cholesky linalg_cholesky_ex linalg_cond linalg_eig linalg_eigh linalg_eigvals", _SQUARE),
    **_same("linalg_eigvalsh linalg_inv linalg_inv_ex linalg_qr linalg_svd linalg_svdvals", _SQUARE),
    **_same("linalg_matrix_rank.atol_rtol_float linalg_matrix_rank.atol_rtol_tensor", _SQUARE),
    **_same("cholesky_solve linalg_solve linalg_lstsq triangular_solve", lambda t: (t(8, 8), t(8, 8))),
    **_same("orgqr linalg_householder_product", lambda t: (t(8, 8), t(8))),
    "ormqr": lambda t: (t(8, 8), t(8), t(8, 8)),
    "lu_solve": lambda t: (t(8, 8), t(8, 8), t.index(8)),
    "linalg_cond.p_str": lambda t: (t(8, 8), "fro"),
    "linalg_matrix_rank": lambda t: (t(8, 8), 0.1),
    "linalg_matrix_rank.tol_tensor": lambda t: (t(8, 8), t(1)),
    "linalg_tensorinv": lambda t: (t(2, 4, 8), 2),
    "linalg_tensorsolve": lambda t: (t(2, 4, 8), t(2, 4)),
}

FOURIER = {
    **_same("fft_fft fft_ifft fft_rfft fft_irfft fft_hfft fft_ihfft", lambda t: (t(8, 8),)),
    **_same("fft_fft2 fft_ifft2 fft_rfft2 fft_irfft2", lambda t: (t(8, 8),)),
    **_same("fft_fftn fft_ifftn fft_rfftn fft_irfftn", lambda t: (t(8, 8),)),
    **_same("stft stft.center", lambda t: (t(64), 16, 4, 16, t(16))),
}

#: Family -> overload -> its example's arguments. The order is the order of the tables.
FAMILIES: dict[str, dict[str, Callable]] = {
    "matrix products": MATRIX_PRODUCTS,
    "convolutions": CONVOLUTIONS,
    "attention, recurrent cells": ATTENTION_AND_RECURRENT,
    "element-wise": ELEMENT_WISE,
    "reductions, norms, distances": REDUCTIONS,
    "softmax, normalization": NORMALIZATION,
    "losses": LOSSES,
    "pooling, padding, resampling": RESAMPLING,
    "indexing, joining": INDEXING_AND_JOINING,
    "linear algebra": LINEAR_ALGEBRA,
    "Fourier transforms": FOURIER,
}
OTHER = "other"


def example(overload: str) -> Callable | None:
    """The arguments of an overload ("mm", "prod.dim_int"), a function of `t`; None if it has no example."""
    return next((examples[overload] for examples in FAMILIES.values() if overload in examples), None)


def family(op: str) -> str:
    """The family of an op by its name without overload; "other" if none of its overloads has an example."""
    for name, examples in FAMILIES.items():
        if any(overload.partition(".")[0] == op for overload in examples):
            return name
    return OTHER
