// Errors as values: a code (gRPC's sixteen, so that they map one to one) and a text for people.
//
//   Result<Model> Load(path);
//   SNUG_ASSIGN_OR_RETURN(Model m, Load(path));
//
// No function of Snug throws across a room; exceptions of third parties are turned into a Status at the
// room's edge.
#pragma once

#include <fmt/format.h>

#include <cassert>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace snug {

// Values are gRPC's, and those of snug_code in api/engine.h.
enum class Code : int32_t {
  kOk = 0,
  kCancelled = 1,
  kUnknown = 2,
  kInvalidArgument = 3,
  kDeadlineExceeded = 4,
  kNotFound = 5,
  kAlreadyExists = 6,
  kPermissionDenied = 7,
  kResourceExhausted = 8,
  kFailedPrecondition = 9,
  kAborted = 10,
  kOutOfRange = 11,
  kUnimplemented = 12,
  kInternal = 13,
  kUnavailable = 14,
  kDataLoss = 15,
  kUnauthenticated = 16,
};

// "INVALID_ARGUMENT"; "UNKNOWN" for a number that is none of the codes.
std::string_view CodeName(Code code);

// The HTTP status that a REST API answers for the code (400, 404, 409, 429, 500, 503, 504, …; 200 for OK).
int HttpStatus(Code code);

class [[nodiscard]] Status {
 public:
  Status() = default;  // OK
  Status(Code code, std::string text) : code_(code), text_(std::move(text)) {}

  bool ok() const { return code_ == Code::kOk; }
  Code code() const { return code_; }
  const std::string& text() const { return text_; }
  // "NOT_FOUND: model "x" is not deployed here"
  std::string ToString() const;
  // The same code with "context: " before the text, for adding what was being done.
  Status Annotate(std::string_view context) const;

 private:
  Code code_ = Code::kOk;
  std::string text_;
};

// Error(Code::kNotFound, "model \"{}\" is not deployed here", name)
template <typename... Args>
Status Error(Code code, fmt::format_string<Args...> format, Args&&... args) {
  return Status(code, fmt::format(format, std::forward<Args>(args)...));
}
template <typename... Args>
Status InvalidArgument(fmt::format_string<Args...> format, Args&&... args) {
  return Status(Code::kInvalidArgument, fmt::format(format, std::forward<Args>(args)...));
}
template <typename... Args>
Status NotFound(fmt::format_string<Args...> format, Args&&... args) {
  return Status(Code::kNotFound, fmt::format(format, std::forward<Args>(args)...));
}
template <typename... Args>
Status Internal(fmt::format_string<Args...> format, Args&&... args) {
  return Status(Code::kInternal, fmt::format(format, std::forward<Args>(args)...));
}
template <typename... Args>
Status Unavailable(fmt::format_string<Args...> format, Args&&... args) {
  return Status(Code::kUnavailable, fmt::format(format, std::forward<Args>(args)...));
}
template <typename... Args>
Status FailedPrecondition(fmt::format_string<Args...> format, Args&&... args) {
  return Status(Code::kFailedPrecondition, fmt::format(format, std::forward<Args>(args)...));
}
// "PREFIX: strerror(errno)" with the code that fits errno (ENOENT: NOT_FOUND, EACCES: PERMISSION_DENIED, …).
Status ErrnoError(int error_number, std::string_view context);

// A value or an error. value() requires ok().
template <typename T>
class [[nodiscard]] Result {
 public:
  Result(T value) : value_(std::move(value)) {}         // NOLINT: implicit, so that `return value;` works
  Result(Status status) : status_(std::move(status)) {  // NOLINT: implicit, so that `return error;` works
    assert(!status_.ok());
  }

  bool ok() const { return value_.has_value(); }
  const Status& status() const { return status_; }
  T& value() & {
    assert(ok());
    return *value_;
  }
  const T& value() const& {
    assert(ok());
    return *value_;
  }
  T&& value() && {
    assert(ok());
    return std::move(*value_);
  }
  T& operator*() & { return value(); }
  const T& operator*() const& { return value(); }
  T&& operator*() && { return std::move(*this).value(); }
  T* operator->() { return &value(); }
  const T* operator->() const { return &value(); }

 private:
  std::optional<T> value_;
  Status status_;
};

#define SNUG_CONCAT_INNER(a, b) a##b
#define SNUG_CONCAT(a, b) SNUG_CONCAT_INNER(a, b)
#define SNUG_RETURN_IF_ERROR(expr)                                                     \
  do {                                                                                 \
    if (::snug::Status snug_status_ = (expr); !snug_status_.ok()) return snug_status_; \
  } while (false)
#define SNUG_ASSIGN_OR_RETURN_INNER(result, declaration, expr) \
  auto result = (expr);                                        \
  if (!result.ok()) return result.status();                    \
  declaration = std::move(result).value()
#define SNUG_ASSIGN_OR_RETURN(declaration, expr) \
  SNUG_ASSIGN_OR_RETURN_INNER(SNUG_CONCAT(snug_result_, __LINE__), declaration, expr)

}  // namespace snug
