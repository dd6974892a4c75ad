/* Snug's parser contract: how an application's own payload becomes a model's input tensors, and the model's
 * output tensors become the application's answer (58.com's "parser package", hot-loaded per model).
 *
 * A plug-in exports snug_parser_get_api(). The rules of engine.h hold here too: C ABI, struct sizes, codes of
 * gRPC with a text for people, nothing thrown across. A parser runs in the model server beside the engine,
 * trusted and fast; bad payloads are its daily bread and must give SNUG_INVALID_ARGUMENT with what was
 * expected, never a crash.
 *
 * Threads: create and destroy once per model version; parse and format run in parallel on one parser.
 */
#ifndef SNUG_PARSER_H_
#define SNUG_PARSER_H_

#include "engine.h"

#ifdef __cplusplus
extern "C" {
#endif

#define SNUG_PARSER_ABI_VERSION 1
#define SNUG_PARSER_ENTRY "snug_parser_get_api"

typedef struct snug_parser snug_parser;   /* one per model version */
typedef struct snug_request snug_request; /* what parse wants format to know of the same request */

/* The model behind the parser. Valid until destroy. */
typedef struct snug_parser_config {
  uint32_t struct_size;
  const char* model_name;
  const char* directory;    /* of the model's version: dictionaries and label files lie there */
  const char* options_json; /* the "parser" options of model.yaml, a JSON object, never NULL */
  uint32_t input_count;
  const snug_tensor_spec* inputs;
  uint32_t output_count;
  const snug_tensor_spec* outputs;
} snug_parser_config;

typedef struct snug_parameter {
  const char* key;
  const char* value;
} snug_parameter;

typedef struct snug_payload {
  uint32_t struct_size;
  const char* content_type; /* may be "" */
  const void* data;
  uint64_t bytes;
  const snug_parameter* parameters;
  uint32_t parameter_count;
} snug_payload;

/* Memory for input `index` (of snug_parser_config.inputs) with these dims, 64-byte aligned, not zeroed; the
 * parser writes the tensor straight into it. NULL when refused (the dims do not fit the model, too large):
 * the parser then returns SNUG_INVALID_ARGUMENT; the host already knows why. */
typedef struct snug_input_sink {
  uint32_t struct_size;
  void* context;
  void* (*allocate)(void* context, uint32_t index, int32_t rank, const int64_t* dims, uint64_t bytes);
} snug_input_sink;

/* The answer: called once, returns memory of `bytes` bytes, or NULL when refused. */
typedef struct snug_answer_sink {
  uint32_t struct_size;
  void* context;
  void* (*allocate)(void* context, const char* content_type, uint64_t bytes);
} snug_answer_sink;

typedef struct snug_parser_api {
  uint32_t struct_size;
  uint32_t abi_version; /* SNUG_PARSER_ABI_VERSION */
  const char* name;     /* "ocr" */
  const char* version;

  /* Fails when the model does not fit the parser, saying what it expected. */
  snug_code (*create)(const snug_parser_config* config, snug_parser** parser, snug_error* error);
  void (*destroy)(snug_parser* parser);

  /* Payload to tensors: allocates every input. *request may stay NULL. */
  snug_code (*parse)(snug_parser* parser, const snug_payload* payload, const snug_input_sink* sink,
                     snug_request** request, snug_error* error);
  /* Tensors to answer. */
  snug_code (*format)(snug_parser* parser, snug_request* request, const snug_tensor* outputs,
                      uint32_t output_count, const snug_answer_sink* sink, snug_error* error);
  /* Called once for each request that parse made, whether or not format was. May be NULL. */
  void (*end_request)(snug_parser* parser, snug_request* request);
} snug_parser_api;

typedef const snug_parser_api* (*snug_parser_get_api_fn)(uint32_t host_abi_version);

#ifdef __cplusplus
} /* extern "C" */
#endif
#endif /* SNUG_PARSER_H_ */
