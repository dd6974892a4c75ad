#include "ocr/dictionary.h"

#include <filesystem>
#include <fstream>
#include <iterator>

namespace snug::ocr {
namespace {

namespace fs = std::filesystem;

// The dictionary's path, inside of the version's directory whatever links and dots say.
Result<fs::path> DictionaryPath(const std::string& directory, const std::string& name) {
  std::error_code error;
  const fs::path root = fs::canonical(directory, error);
  if (error) return ErrnoError(error.value(), directory);
  const fs::path path = fs::canonical(root / name, error);
  if (error) {
    return NotFound(
        "no dictionary {}/{}: put the model's characters there, one a line, or name another file with the "
        "parser option \"dictionary\"",
        directory, name);
  }
  if (!path.string().starts_with(root.string() + "/")) {
    return Error(Code::kPermissionDenied, "dictionary \"{}\" lies outside of the model's directory", name);
  }
  if (!fs::is_regular_file(path)) return InvalidArgument("dictionary \"{}\" is not a file", name);
  return path;
}

}  // namespace

Result<Alphabet> ReadAlphabet(const std::string& directory, const std::string& name) {
  SNUG_ASSIGN_OR_RETURN(fs::path path, DictionaryPath(directory, name));
  std::error_code error;
  const uintmax_t bytes = fs::file_size(path, error);
  if (error) return ErrnoError(error.value(), name);
  if (bytes > kDictionaryBytesMax) {
    return InvalidArgument("dictionary \"{}\": {} bytes, at most {} are read", name, bytes,
                           kDictionaryBytesMax);
  }
  std::ifstream file(path, std::ios::binary);
  const std::string text{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  if (file.bad() || !file.is_open())
    return Error(Code::kPermissionDenied, "dictionary \"{}\" cannot be read", name);
  auto alphabet = Alphabet::Parse(text);
  if (!alphabet.ok()) return alphabet.status().Annotate(fmt::format("dictionary \"{}\"", name));
  return alphabet;
}

}  // namespace snug::ocr
