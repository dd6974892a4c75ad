#include "engines/kit/content.h"

#include <openssl/evp.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string_view>
#include <vector>

#include "engines/kit/kit.h"

namespace snug::kit {
namespace {

namespace fs = std::filesystem;

constexpr size_t kBlockBytes = 1 << 20;

class Digest {
 public:
  Digest() : context_(EVP_MD_CTX_new()) { EVP_DigestInit_ex(context_.get(), EVP_sha256(), nullptr); }
  void Add(const void* data, size_t bytes) { EVP_DigestUpdate(context_.get(), data, bytes); }
  // With its length, so that no two lists of texts are the same bytes.
  void AddText(std::string_view text) {
    const uint64_t size = text.size();
    Add(&size, sizeof size);
    Add(text.data(), text.size());
  }
  std::string Take() {
    std::array<unsigned char, EVP_MAX_MD_SIZE> bytes{};
    unsigned size = 0;
    EVP_DigestFinal_ex(context_.get(), bytes.data(), &size);
    return {bytes.begin(), bytes.begin() + size};
  }

 private:
  struct Free {
    void operator()(EVP_MD_CTX* context) const { EVP_MD_CTX_free(context); }
  };
  std::unique_ptr<EVP_MD_CTX, Free> context_;
};

void AddFile(Digest& digest, const fs::path& path, std::vector<char>& block) {
  std::ifstream file(path, std::ios::binary);
  if (!file) throw Failure(SNUG_NOT_FOUND, "cannot read " + path.string());
  uint64_t size = 0;
  while (file.read(block.data(), static_cast<std::streamsize>(block.size())), file.gcount() > 0) {
    digest.Add(block.data(), static_cast<size_t>(file.gcount()));
    size += static_cast<uint64_t>(file.gcount());
  }
  if (file.bad()) throw Failure(SNUG_DATA_LOSS, "cannot read " + path.string());
  digest.Add(&size, sizeof size);
}

}  // namespace

std::string DirectoryDigest(const std::string& directory) {
  std::vector<fs::path> files;
  for (const auto& entry : fs::recursive_directory_iterator(directory)) {
    if (entry.is_regular_file()) files.push_back(entry.path());
  }
  std::sort(files.begin(), files.end());
  Digest digest;
  std::vector<char> block(kBlockBytes);
  for (const fs::path& path : files) {
    digest.AddText(path.lexically_relative(directory).string());
    AddFile(digest, path, block);
  }
  return digest.Take();
}

}  // namespace snug::kit
