// The part of Envoy's dynamic-module ABI "v0.2.0" (Envoy 1.40) that the front door's module uses. Names,
// layouts and numbers are Envoy's (source/extensions/dynamic_modules/abi/abi.h); Envoy promises compatibility
// with the next minor version only, so each update of Envoy needs the system test in tests/front_door.
//
// All calls are made on the worker thread of the request. Pointers that Envoy hands out are valid until the
// hook returns.
#pragma once

#include <cstddef>
#include <cstdint>

namespace snug::routing::envoy {

inline constexpr char kAbiVersion[] = "v0.2.0";

struct Buffer {
  const char* data;
  size_t size;
};
struct Header {
  const char* key;
  size_t key_size;
  const char* value;
  size_t value_size;
};

enum HeaderMap : int { kRequestHeaders = 0, kRequestTrailers, kResponseHeaders, kResponseTrailers };
enum BodyType : int { kReceivedRequestBody = 0 };
enum HeadersStatus : int { kHeadersContinue = 0, kHeadersStopIteration = 1 };
enum BodyStatus : int {
  kBodyContinue = 0,
  kBodyStopAndBuffer = 1,     // Envoy holds the bytes, and answers 413 over its limit
  kBodyStopAndWatermark = 2,  // Envoy holds the bytes, and stops reading from the client over its limit
  kBodyStopNoBuffer = 3,      // the bytes are thrown away
};
enum TrailersStatus : int { kTrailersContinue = 0, kTrailersStopIteration = 1 };
enum LocalReplyStatus : int { kLocalReplyContinue = 0 };

}  // namespace snug::routing::envoy

// What Envoy offers; resolved when it loads the module.
extern "C" {
bool envoy_dynamic_module_callback_http_get_header(void* stream, int map, snug::routing::envoy::Buffer key,
                                                   snug::routing::envoy::Buffer* value, size_t index,
                                                   size_t* count);
// A null value removes the header.
bool envoy_dynamic_module_callback_http_set_header(void* stream, int map, snug::routing::envoy::Buffer key,
                                                   snug::routing::envoy::Buffer value);
size_t envoy_dynamic_module_callback_http_get_body_chunks_size(void* stream, int body);
bool envoy_dynamic_module_callback_http_get_body_chunks(void* stream, int body,
                                                        snug::routing::envoy::Buffer* chunks);
void envoy_dynamic_module_callback_http_clear_route_cache(void* stream);
void envoy_dynamic_module_callback_http_send_response(void* stream, uint32_t status,
                                                      snug::routing::envoy::Header* headers,
                                                      size_t headers_size, snug::routing::envoy::Buffer body,
                                                      snug::routing::envoy::Buffer details);
void envoy_dynamic_module_callback_http_send_response_headers(void* stream,
                                                              snug::routing::envoy::Header* headers,
                                                              size_t headers_size, bool end);
void envoy_dynamic_module_callback_http_send_response_data(void* stream, snug::routing::envoy::Buffer data,
                                                           bool end);
void envoy_dynamic_module_callback_http_send_response_trailers(void* stream,
                                                               snug::routing::envoy::Header* trailers,
                                                               size_t trailers_size);
}
