// Who may call: the tokens of --token-file, one a line, "NAME:TOKEN" or "TOKEN" alone; # begins a comment.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"

namespace snug::controller {

inline constexpr size_t kTokenCharsMin = 16;

class Tokens {
 public:
  // Nobody is asked for a token.
  Tokens() = default;
  // INVALID_ARGUMENT names the line that is wrong, never its content.
  static Result<Tokens> Parse(std::string_view text);

  bool required() const { return !entries_.empty(); }
  // Who sends this Authorization header: "local" when no tokens are required; nullopt: nobody we know.
  std::optional<std::string> Who(std::string_view authorization) const;

 private:
  struct Entry {
    std::string name, token;
  };
  std::vector<Entry> entries_;
};

}  // namespace snug::controller
