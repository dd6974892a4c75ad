#include "controller/tokens.h"

#include <openssl/crypto.h>

#include <algorithm>
#include <sstream>

namespace snug::controller {
namespace {

constexpr std::string_view kScheme = "Bearer ";

bool Equal(std::string_view a, std::string_view b) {
  return a.size() == b.size() && CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

}  // namespace

Result<Tokens> Tokens::Parse(std::string_view text) {
  Tokens tokens;
  std::istringstream stream{std::string(text)};
  int number = 0;
  for (std::string line; std::getline(stream, line);) {
    ++number;
    while (!line.empty() && (line.back() == '\r' || line.back() == ' ')) line.pop_back();
    if (line.empty() || line[0] == '#') continue;
    size_t colon = line.rfind(':');
    std::string name = colon == std::string::npos ? "token" : line.substr(0, colon);
    std::string token = colon == std::string::npos ? line : line.substr(colon + 1);
    bool printable = std::ranges::all_of(name + token, [](unsigned char c) { return c > 0x20 && c < 0x7f; });
    if (name.empty() || token.size() < kTokenCharsMin || !printable) {
      return InvalidArgument(
          "line {}: expected NAME:TOKEN with a token of at least {} characters, without spaces", number,
          kTokenCharsMin);
    }
    tokens.entries_.push_back({name, token});
  }
  if (tokens.entries_.empty()) return InvalidArgument("no token in it: expected a line NAME:TOKEN");
  return tokens;
}

std::optional<std::string> Tokens::Who(std::string_view authorization) const {
  if (!required()) return "local";
  if (!authorization.starts_with(kScheme)) return std::nullopt;
  authorization.remove_prefix(kScheme.size());
  for (const Entry& entry : entries_) {
    if (Equal(entry.token, authorization)) return entry.name;
  }
  return std::nullopt;
}

}  // namespace snug::controller
