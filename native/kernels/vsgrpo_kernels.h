/* The C interface of libvsgrpo_cuda_kernels.so. Every function takes a struct of its arguments and a CUDA stream, checks
 * them, launches and returns at once: nothing here allocates device memory, waits for the device or throws. Arrays are
 * dense and on the device; [N, H] means row-major. Those of weights, activations and gradients, and workspaces, start at a
 * multiple of 16 bytes; those with a number for each row at a multiple of that number's size. Sums are fp32 and always taken
 * in the same order, so equal inputs give equal bits. The CPU definition of each is named beside it.
 *
 * Set `struct_size` to sizeof(the struct). A function returns VSGRPO_OK or what is wrong; vsgrpo_kernels_error() then says
 * it in a sentence. Nothing has been launched in that case. An empty batch is fine, and launches nothing. */
#pragma once
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define VSGRPO_KERNELS_ABI 3
#define VSGRPO_EXPORT __attribute__((visibility("default")))

enum vsgrpo_status {
  VSGRPO_OK = 0,
  VSGRPO_NULL_POINTER = 1,
  VSGRPO_BAD_SIZE = 2,     /* negative, or at odds with another */
  VSGRPO_UNALIGNED = 3,    /* see above */
  VSGRPO_UNSUPPORTED = 4,  /* a shape or type that no kernel was compiled for */
  VSGRPO_BAD_VALUE = 5,    /* a temperature of -1, say */
  VSGRPO_BAD_STRUCT = 6,   /* struct_size is another one: caller and library were built from different sources */
  VSGRPO_CUDA_ERROR = 7    /* the launch was refused */
};

enum vsgrpo_type { VSGRPO_FLOAT32 = 0, VSGRPO_BFLOAT16 = 1, VSGRPO_CODED = 2 /* moments of adamw only */ };

/* VSGRPO_KERNELS_ABI of the library. */
VSGRPO_EXPORT int vsgrpo_kernels_abi(void);
/* What the last call of this thread that failed was about: "[op] argument: expected …, got …". */
VSGRPO_EXPORT const char* vsgrpo_kernels_error(void);

/* ---- token_loss: log-softmax statistics of a chunk of logits and, when asked, the gradient, in one kernel.
 * native/ops/token_logps.h, native/ops/grpo_terms.h. */

/* GrpoOptions of native/ops/grpo_terms.h; the enums by number. Token losses only: no sequence level, no VESPO. */
typedef struct {
  int32_t surrogate, kl, bias_correction_kl;
  double epsilon_low, epsilon_high, delta, beta;
  double sapo_temperature_pos, sapo_temperature_neg;
} vsgrpo_grpo_options;

/* [rows] each; the ones marked ? may be null. */
typedef struct {
  const float *weights, *advantages;
  const float *old_logps, *ref_logps, *policy_mask, *sampler_ratios, *entropy_bonus; /* ? */
} vsgrpo_grpo_tokens;

typedef struct {
  uint32_t struct_size;
  int32_t logits_type, gradient_type;
  int64_t rows, vocab;
  float temperature;
  const void* logits;     /* [rows, vocab] */
  const int32_t* targets; /* [rows]; one outside [0, vocab) gives NaN */
  float *logps, *entropy; /* [rows], nats */
  uint8_t* correct;       /* [rows], 1 where the target is the most likely token */
  void* gradient;         /* [rows, vocab] d loss / d logits; null: statistics only; `logits` itself where the types agree */
  /* The loss, for `gradient`: either its gradients per token (dentropy ?), as SFT and DPO have them … */
  const float *dlogps, *dentropy;
  /* … or, with dlogps null, the GRPO objective. */
  vsgrpo_grpo_tokens tokens;
  vsgrpo_grpo_options options;
} vsgrpo_token_loss_args;

VSGRPO_EXPORT int vsgrpo_token_loss(const vsgrpo_token_loss_args* args, void* stream);

/* ---- add_rms_norm: sum = x + delta, y = weight * sum / rms(sum). native/ops/norm.h. */

typedef struct {
  uint32_t struct_size;
  int32_t type;
  int64_t rows, columns; /* columns: whole 16-byte pieces, at most vsgrpo_add_rms_norm_columns(type) */
  float eps;
  const void *x, *delta; /* [rows, columns]; delta null: nothing is added */
  const void* weight;    /* [columns] */
  void* sum;             /* [rows, columns]; may be x; null without delta */
  void* y;               /* [rows, columns] */
  float* rstd;           /* [rows] 1 / rms, for the backward pass; may be null */
} vsgrpo_add_rms_norm_args;

VSGRPO_EXPORT int vsgrpo_add_rms_norm(const vsgrpo_add_rms_norm_args* args, void* stream);
VSGRPO_EXPORT int64_t vsgrpo_add_rms_norm_columns(int32_t type);

typedef struct {
  uint32_t struct_size;
  int32_t type;
  int64_t rows, columns;
  const void *dy, *dsum; /* [rows, columns] gradients of y and, through the residual, of sum (null: none) */
  const void *sum, *weight;
  const float* rstd;
  void* dx;         /* [rows, columns], the gradient of x and of delta alike; may be dy or dsum */
  float* dweight;   /* [columns], added to; null: a frozen weight */
  float* workspace; /* vsgrpo_add_rms_norm_workspace floats; only for dweight */
} vsgrpo_add_rms_norm_backward_args;

VSGRPO_EXPORT int vsgrpo_add_rms_norm_backward(const vsgrpo_add_rms_norm_backward_args* args, void* stream);
VSGRPO_EXPORT int64_t vsgrpo_add_rms_norm_workspace(int64_t rows, int64_t columns);

/* ---- mrope: angles, rotation of q and k with the cache append, and its backward pass. native/ops/rope.h. */

typedef struct {
  uint32_t struct_size;
  int32_t round_to_bfloat16;        /* as the model does where it computes in bfloat16 */
  int64_t rows, head_dim;
  const int32_t* positions;         /* [3, rows]: time, height, width */
  const int32_t* offsets;           /* [rows], added to all three; may be null */
  const float* inverse_frequencies; /* [head_dim / 2] */
  int32_t sections[3];              /* frequencies that turn with each component; sum head_dim / 2 */
  float *cos, *sin;                 /* [rows, head_dim / 2] */
} vsgrpo_mrope_table_args;

VSGRPO_EXPORT int vsgrpo_mrope_table(const vsgrpo_mrope_table_args* args, void* stream);

typedef struct {
  uint32_t struct_size;
  int32_t type;
  int32_t round_products;        /* every product is rounded to the type, as q * cos + rotate_half(q) * sin does */
  int64_t rows, heads, kv_heads, head_dim; /* head_dim / 2: whole 16-byte pieces */
  const void* qkv;               /* [rows, (heads + 2 kv_heads) head_dim] */
  const float *cos, *sin;        /* [rows, head_dim / 2] */
  void* q;                       /* [rows, heads, head_dim] */
  void *k, *v;                   /* [slots, capacity, kv_heads, head_dim], or [rows, kv_heads, head_dim] without lengths */
  /* With lengths, row i becomes token lengths[i] - 1 of slot slots[i] (slots null: i). A length outside [1, capacity] or a
   * slot outside [0, slot_count) leaves the cache as it is: so padding is marked. */
  const int32_t *lengths, *slots;
  int64_t capacity, slot_count;
} vsgrpo_mrope_args;

VSGRPO_EXPORT int vsgrpo_mrope(const vsgrpo_mrope_args* args, void* stream);

typedef struct {
  uint32_t struct_size;
  int32_t type;
  int64_t rows, heads, kv_heads, head_dim;
  const void *dq, *dk, *dv;
  const float *cos, *sin;
  void* dqkv;
} vsgrpo_mrope_backward_args;

VSGRPO_EXPORT int vsgrpo_mrope_backward(const vsgrpo_mrope_backward_args* args, void* stream);

/* ---- swiglu: silu(gate) * up. native/ops/activation.h. */

typedef struct {
  uint32_t struct_size;
  int32_t type;
  int64_t rows, columns; /* columns: whole 16-byte pieces */
  const void* gate_up;   /* [rows, 2 columns], gate first */
  void* y;               /* [rows, columns] */
} vsgrpo_swiglu_args;

VSGRPO_EXPORT int vsgrpo_swiglu(const vsgrpo_swiglu_args* args, void* stream);

typedef struct {
  uint32_t struct_size;
  int32_t type;
  int64_t rows, columns;
  const void *dy, *gate_up;
  void* dgate_up; /* [rows, 2 columns]; may be gate_up */
} vsgrpo_swiglu_backward_args;

VSGRPO_EXPORT int vsgrpo_swiglu_backward(const vsgrpo_swiglu_backward_args* args, void* stream);

/* ---- quick_gelu: x sigmoid(1.702 x). native/ops/activation.h. */

typedef struct {
  uint32_t struct_size;
  int32_t type;
  int64_t count; /* whole 16-byte pieces */
  const void* x; /* [count] */
  void* y;       /* [count]; may be x */
} vsgrpo_quick_gelu_args;

VSGRPO_EXPORT int vsgrpo_quick_gelu(const vsgrpo_quick_gelu_args* args, void* stream);

typedef struct {
  uint32_t struct_size;
  int32_t type;
  int64_t count;
  const void *dy, *x;
  void* dx; /* [count]; may be dy or x */
} vsgrpo_quick_gelu_backward_args;

VSGRPO_EXPORT int vsgrpo_quick_gelu_backward(const vsgrpo_quick_gelu_backward_args* args, void* stream);

/* ---- sample: one token of every row. native/ops/sample_token.h. */

#define VSGRPO_SAMPLE_IDS 8

typedef struct {
  uint32_t struct_size;
  int32_t logits_type;
  int64_t rows, vocab;
  int64_t rows_per_logits;    /* row i reads logits row i / rows_per_logits */
  float temperature;          /* 0: greedy */
  float top_p, min_p;         /* 1 and 0: off */
  float repetition_penalty;   /* 1: off */
  int64_t top_k;              /* 0: off */
  int32_t forbidden[VSGRPO_SAMPLE_IDS], forbidden_count; /* never drawn, but the greedy choice is free */
  int32_t eos[VSGRPO_SAMPLE_IDS], eos_count;             /* end a row */
  const void* logits;         /* [rows / rows_per_logits, vocab] */
  const uint64_t* seeds;      /* [rows] */
  int32_t* steps;             /* [rows] tokens drawn so far: the counter of the random numbers; advanced by one */
  uint32_t* seen;             /* [rows, ceil(vocab / 32)] a bit for each id that the penalty applies to; the drawn one is set; null: no penalty */
  uint8_t* stopped;           /* [rows] rows that are set are left alone; set when a row ends */
  int32_t* tokens;            /* [rows]; 0 and a NaN in logps where no logit is finite: the weights have diverged */
  float* logps;               /* [rows] under what the rules leave; without any, over the whole vocabulary, forbidden tokens among it */
} vsgrpo_sample_args;

VSGRPO_EXPORT int vsgrpo_sample(const vsgrpo_sample_args* args, void* stream);

/* ---- decode_attention: the newest token of each row over the segments of its prompt, shared, and its own tokens.
 * native/ops/attention.h. */

#define VSGRPO_DECODE_KEYS 256 /* keys of one piece: fixed, so that a row's result does not depend on the batch */

/* A piece of a prompt's segment that rows which follow each other all read. native/generate/decode_plan.h makes them. */
typedef struct {
  int32_t first_row, rows; /* rows * heads / kv_heads <= 64; 0 rows: an empty place */
  int32_t first_key, keys; /* of prompt_k; at most VSGRPO_DECODE_KEYS */
  int32_t part;            /* index of this piece among its rows' pieces */
} vsgrpo_decode_item;

typedef struct {
  uint32_t struct_size;
  int32_t type;
  int64_t rows, heads, kv_heads, head_dim; /* head_dim: 16, 32, 64, 80 or 128; heads / kv_heads at most 16 */
  int64_t items, max_prompt_parts;         /* places in `items`; pieces that a row's prompt can have at most */
  int64_t capacity;                        /* own tokens that a slot has room for */
  const void* q;                           /* [rows, heads, head_dim] */
  const void *prompt_k, *prompt_v;         /* [prompt tokens, kv_heads, head_dim] */
  const void *own_k, *own_v;               /* [slots, capacity, kv_heads, head_dim] */
  const vsgrpo_decode_item* prompt_items;  /* [items] */
  const int32_t* prompt_parts;             /* [rows] pieces of each row's prompt */
  const int32_t* lengths;                  /* [rows] own tokens, the newest among them; read on the device */
  const int32_t* slots;                    /* [rows]; null: row i has slot i */
  void* out;                               /* [rows, heads, head_dim] */
  float* workspace;                        /* vsgrpo_decode_attention_workspace floats */
} vsgrpo_decode_attention_args;

VSGRPO_EXPORT int vsgrpo_decode_attention(const vsgrpo_decode_attention_args* args, void* stream);
/* Only the sizes of `args` are read; 0 where one of them is no size. */
VSGRPO_EXPORT int64_t vsgrpo_decode_attention_workspace(const vsgrpo_decode_attention_args* args);

/* ---- gradient_norm: the norm of all gradients and the factor that clips them. native/optim/adamw.h. */

typedef struct {
  uint32_t struct_size;
  int32_t grad_type;
  int64_t count;
  const void* grad;  /* [count] */
  double* sums;      /* [vsgrpo_squared_norm_sums(count)] */
} vsgrpo_squared_norm_args;

VSGRPO_EXPORT int vsgrpo_squared_norm(const vsgrpo_squared_norm_args* args, void* stream);
VSGRPO_EXPORT int64_t vsgrpo_squared_norm_sums(int64_t count);

typedef struct {
  uint32_t struct_size;
  int64_t count;      /* sums of all parameters */
  const double* sums;
  double max_norm;    /* 0: no clipping */
  double* clip;       /* [2] norm before clipping, and the factor: NaN where the norm is not finite */
} vsgrpo_clip_args;

VSGRPO_EXPORT int vsgrpo_clip(const vsgrpo_clip_args* args, void* stream);

/* ---- adamw: one parameter's update, which also clears the gradient. native/optim/adamw_step.h. */

#define VSGRPO_CODED_BLOCK 256 /* codes that share an absmax */

/* Of a coded moment. */
typedef struct {
  const float* values;   /* [256] of its map, by code */
  const uint32_t* cells; /* [kMapCells] of native/optim/dynamic_code.h */
  float* absmax;         /* [count / VSGRPO_CODED_BLOCK, rounded up] */
} vsgrpo_adamw_codes;

typedef struct {
  uint32_t struct_size;
  int32_t weight_type, grad_type;
  int32_t moment_type; /* bfloat16: rounded stochastically; coded: m and v are bytes, with m_codes and v_codes */
  int64_t count;
  void* weight;       /* [count] */
  int16_t* low;       /* [count] for bfloat16 weights: the bits of the fp32 master below the weight's own */
  void* grad;         /* [count], cleared */
  void *m, *v;        /* [count] */
  vsgrpo_adamw_codes m_codes, v_codes;
  float gain1, beta2, gain2; /* 1 - beta1, beta2 and 1 - beta2, each rounded once */
  float epsilon;
  float step;         /* lr / (1 - beta1^t) */
  float root;         /* sqrt(1 - beta2^t) */
  float keep;         /* 1 - lr * weight_decay */
  uint32_t random;    /* of this step */
  const double* clip; /* [2] of vsgrpo_clip; with a NaN factor only the gradient is cleared. Null: no clipping */
} vsgrpo_adamw_args;

VSGRPO_EXPORT int vsgrpo_adamw(const vsgrpo_adamw_args* args, void* stream);

#ifdef __cplusplus
}
#endif
