/* Snug's engine contract: what a shared library must export so that Snug can execute models with it.
 *
 * A plug-in exports one function, snug_engine_get_api(), that returns a table of functions. The host loads
 * the library with RTLD_LOCAL, checks the handshake, and calls the table. A minimal plug-in is
 * src/engines/echo (under 100 lines, explained in docs/engines.md).
 *
 * Rules
 *  - C ABI. No exception may cross it; the host treats what the library reports as foreign and checks it.
 *  - Each struct that may grow begins with struct_size, set by whoever fills it. The reader uses the smaller
 * of the two sizes, so an older plug-in works with a newer host and the reverse, within one
 * SNUG_ENGINE_ABI_VERSION.
 *  - Each fallible call returns a snug_code and, when that is not SNUG_OK, writes a text for people into
 * *error: what was wrong, what was expected. The codes are those of gRPC.
 *  - Pointers that a call receives are valid during that call only, unless said otherwise.
 *  - Threads: create, load, unload, destroy, create_instance and destroy_instance are called by one thread at
 * a time for one engine. Instances execute in parallel with each other and with those; one instance executes
 * one batch at a time, most often on the same thread. create may be called again for another engine with
 * another cache_dir.
 *  - An engine uses at most the threads of its budget (snug_engine_config.threads, model option "threads")
 * and never sizes a pool from the machine: many models share one machine.
 */
#ifndef SNUG_ENGINE_H_
#define SNUG_ENGINE_H_

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define SNUG_ENGINE_ABI_VERSION 1
#define SNUG_ENGINE_ENTRY "snug_engine_get_api"
/* Limits that the host enforces. */
#define SNUG_MAX_RANK 16
#define SNUG_MAX_TENSORS 256
#define SNUG_ERROR_TEXT_BYTES 1024

/* gRPC's canonical codes. */
typedef int32_t snug_code;
enum {
  SNUG_OK = 0,
  SNUG_CANCELLED = 1,
  SNUG_UNKNOWN = 2,
  SNUG_INVALID_ARGUMENT = 3,
  SNUG_DEADLINE_EXCEEDED = 4,
  SNUG_NOT_FOUND = 5,
  SNUG_ALREADY_EXISTS = 6,
  SNUG_PERMISSION_DENIED = 7,
  SNUG_RESOURCE_EXHAUSTED = 8,
  SNUG_FAILED_PRECONDITION = 9,
  SNUG_ABORTED = 10,
  SNUG_OUT_OF_RANGE = 11,
  SNUG_UNIMPLEMENTED = 12,
  SNUG_INTERNAL = 13,
  SNUG_UNAVAILABLE = 14,
  SNUG_DATA_LOSS = 15
};

/* Filled by the callee when it returns another code than SNUG_OK. UTF-8, NUL-terminated. */
typedef struct snug_error {
  char text[SNUG_ERROR_TEXT_BYTES];
} snug_error;

/* Element types, with the names that KServe v2 gives them. */
typedef int32_t snug_dtype;
enum {
  SNUG_BOOL = 1,
  SNUG_UINT8 = 2,
  SNUG_UINT16 = 3,
  SNUG_UINT32 = 4,
  SNUG_UINT64 = 5,
  SNUG_INT8 = 6,
  SNUG_INT16 = 7,
  SNUG_INT32 = 8,
  SNUG_INT64 = 9,
  SNUG_FP16 = 10,
  SNUG_FP32 = 11,
  SNUG_FP64 = 12,
  SNUG_BF16 = 13,
  /* Strings or blobs: each element is a 4-byte little-endian length and its bytes, elements in row-major
     order. */
  SNUG_BYTES = 14
};

/* A tensor as a model declares it. A dimension of -1 is free. */
typedef struct snug_tensor_spec {
  const char* name;
  snug_dtype dtype;
  int32_t rank;
  const int64_t* dims;
} snug_tensor_spec;

/* A tensor with data: row-major, dense, little-endian; `bytes` is exactly what dtype and dims need. `data` is
 * aligned to 64 bytes when the host owns it. */
typedef struct snug_tensor {
  const char* name;
  snug_dtype dtype;
  int32_t rank;
  const int64_t* dims;
  const void* data;
  uint64_t bytes;
} snug_tensor;

/* How an engine hands out results: it asks for memory per output, in any order, and writes into it, so that a
 * result lands where it is sent from. Returns NULL when the host refuses (unknown index, a shape that does
 * not match `bytes`, a limit): the engine then stops and returns SNUG_INTERNAL. `index` is that of
 * snug_model_info.outputs. Callable only during execute, by any thread. */
typedef struct snug_output_sink {
  uint32_t struct_size;
  void* context;
  void* (*allocate)(void* context, uint32_t index, snug_dtype dtype, int32_t rank, const int64_t* dims,
                    uint64_t bytes);
} snug_output_sink;

/* How a decoupled model hands out its answers, any number of them: the outputs of one are allocated and
 * written as above, then sent. Callable only during execute_stream, one call at a time. */
typedef struct snug_stream_sink {
  uint32_t struct_size;
  void* context;
  void* (*allocate)(void* context, uint32_t index, snug_dtype dtype, int32_t rank, const int64_t* dims,
                    uint64_t bytes);
  /* What was allocated since the last call is an answer, and its memory the host's. May block while the
   * client reads slower. Returns 1, or 0 when no further answer is wanted: stop then and return
   * SNUG_CANCELLED. */
  int32_t (*send)(void* context);
} snug_stream_sink;

typedef struct snug_engine snug_engine;     /* the library, set up once in a process */
typedef struct snug_model snug_model;       /* a loaded version of a model */
typedef struct snug_instance snug_instance; /* an execution context of a model; weights belong to the model */

/* What the host grants an engine. */
typedef struct snug_engine_config {
  uint32_t struct_size;
  int32_t threads;          /* the most threads that all models of this engine may keep busy together, >= 1 */
  const char* options_json; /* a JSON object of engine-wide options, never NULL, e.g. {"onednn": true} */
  const char* cache_dir;    /* a directory for compiled models, or NULL: may be lost at any time */
  /* Writes a line to the host's log. level: 0 debug, 1 info, 2 warning, 3 error. Callable at any time, any
   * thread. */
  void (*log)(int32_t level, const char* text);
} snug_engine_config;

/* A further way to call a model, with tensors of its own: a SavedModel's signature beside the default one. */
typedef struct snug_signature {
  const char* name;   /* "regress_x_to_y" */
  const char* method; /* TensorFlow's method name, e.g. "tensorflow/serving/regress", or "" */
  uint32_t input_count;
  const snug_tensor_spec* inputs;
  uint32_t output_count;
  const snug_tensor_spec* outputs;
} snug_signature;

/* What is known of a loaded model. Pointers stay valid until unload. */
typedef struct snug_model_info {
  uint32_t struct_size;
  uint32_t input_count;
  const snug_tensor_spec* inputs;
  uint32_t output_count;
  const snug_tensor_spec* outputs;
  /* Bytes that unload gives back: weights and compiled code, as exactly as the engine can tell; 0 if unknown.
   */
  uint64_t memory_bytes;
  /* 1 when the first dimension of each input and output is a free batch dimension, else 0. */
  int32_t batch_is_free;
  /* Threads that one execute of one instance may use. */
  int32_t threads_per_instance;
  /* One line for people on how the model is executed, e.g. "OpenVINO 2026.4.1 CPU, f32, 1 stream x 1 thread".
   */
  const char* description;
  /* Optional, from here on: what inputs and outputs above are called ("serving_default"), or NULL, and its
   * method; further signatures, which create_signature_instance serves. To be filled only where struct_size
   * says so. */
  const char* signature;
  const char* method;
  uint32_t signature_count;
  const snug_signature* signatures;
  /* 1 when execute only computes: it waits for no network, no other process and no lock that those hold. The
   * host may then call it on the thread that received or parsed the request. Optional; 0 if in doubt. */
  int32_t only_computes;
  /* 1 when a request is answered by any number of answers: the host then calls execute_stream and never
   * execute. Optional. */
  int32_t decoupled;
} snug_model_info;

typedef struct snug_engine_api {
  uint32_t struct_size;
  uint32_t abi_version; /* SNUG_ENGINE_ABI_VERSION */
  const char* name;     /* "openvino" */
  const char* version;  /* the library's own, e.g. "2026.4.1" */

  snug_code (*create)(const snug_engine_config* config, snug_engine** engine, snug_error* error);
  void (*destroy)(snug_engine* engine); /* after its last model is unloaded */

  /* Loads the model in `directory`. options_json: the model's own options (never NULL), to which the host
   * adds "threads" (the most that one execute may use) and "instances" (how many it will create); an option
   * that the engine does not know is SNUG_INVALID_ARGUMENT with the known ones in the text. */
  snug_code (*load)(snug_engine* engine, const char* directory, const char* options_json, snug_model** model,
                    snug_error* error);
  void (*unload)(snug_model* model); /* after its last instance is destroyed */

  /* Fills *info, whose struct_size the host has set. */
  snug_code (*describe)(snug_model* model, snug_model_info* info, snug_error* error);

  snug_code (*create_instance)(snug_model* model, snug_instance** instance, snug_error* error);
  void (*destroy_instance)(snug_instance* instance);

  /* Executes one batch. `inputs` are all inputs of the model, in its order, already checked against its
   * specs. `wanted[i]` is 1 when output i is asked for; others may be skipped. Blocks until the outputs are
   * written. */
  snug_code (*execute)(snug_instance* instance, const snug_tensor* inputs, uint32_t input_count,
                       const uint8_t* wanted, uint32_t output_count, const snug_output_sink* sink,
                       snug_error* error);

  /* Optional, may be NULL: whether `directory` holds a model that this engine can load, judged by its files
   * alone. 0: no. 1: yes. 2: yes, and in the engine's own format, so that "auto" prefers it to engines that
   * say 1. */
  int32_t (*recognises)(const char* directory);
  /* 1: unless told otherwise, run each model in a process of its own (a library with settings per process, or
   * one that may crash). Opening the plug-in must then stay cheap: load the library itself in create or load.
   */
  int32_t prefers_process;

  /* Optional, may be NULL: as create_instance, for one of snug_model_info.signatures. What execute is given
   * and asked for are that signature's inputs and outputs. */
  snug_code (*create_signature_instance)(snug_model* model, const char* signature, snug_instance** instance,
                                         snug_error* error);

  /* Optional, may be NULL where no model is decoupled: as execute, but answers go to `sink` one after the
   * other, and there may be none. Each holds all wanted outputs. */
  snug_code (*execute_stream)(snug_instance* instance, const snug_tensor* inputs, uint32_t input_count,
                              const uint8_t* wanted, uint32_t output_count, const snug_stream_sink* sink,
                              snug_error* error);

  /* Optional, may be NULL: gives memory back that the model can make anew. idle 0: what executions of shapes
   * that it has seen do without, such as originals of weights. idle 1: besides, what the next execution would
   * have to make again, such as intermediate tensors; it has not executed for a while. Called at any time
   * before unload by one thread, also while others execute: what is in use then stays. */
  snug_code (*trim)(snug_model* model, int32_t idle, snug_error* error);
} snug_engine_api;

/* The plug-in's one export. host_abi_version is the host's; a plug-in that cannot serve it returns NULL. The
 * table lives as long as the library. */
typedef const snug_engine_api* (*snug_engine_get_api_fn)(uint32_t host_abi_version);

#if defined(__GNUC__)
#define SNUG_EXPORT __attribute__((visibility("default")))
#else
#define SNUG_EXPORT
#endif

#ifdef __cplusplus
} /* extern "C" */
#endif
#endif /* SNUG_ENGINE_H_ */
