#include "engines/openvino/code_pages.h"

#include <link.h>
#include <sys/mman.h>
#include <unistd.h>

#include <filesystem>
#include <string>

namespace snug::openvino {
namespace {

constexpr std::string_view kLibraryPrefix = "libopenvino";

// Relocations are written into segments that may be written, even those that are protected afterwards; what
// the file says is read-only is as it is in the file.
int ForgetCodeOf(dl_phdr_info* library, size_t, void* total) {
  if (!std::filesystem::path(library->dlpi_name).filename().string().starts_with(kLibraryPrefix)) return 0;
  const auto page = static_cast<uintptr_t>(sysconf(_SC_PAGESIZE));
  for (size_t i = 0; i < library->dlpi_phnum; ++i) {
    const ElfW(Phdr)& segment = library->dlpi_phdr[i];
    if (segment.p_type != PT_LOAD || (segment.p_flags & PF_W) != 0) continue;
    const uintptr_t begin = library->dlpi_addr + segment.p_vaddr;
    const uintptr_t first = (begin + page - 1) / page * page;
    const uintptr_t last = (begin + segment.p_memsz) / page * page;
    if (last <= first) continue;
    // NOLINTNEXTLINE(performance-no-int-to-ptr): addresses are what the linker tells
    madvise(reinterpret_cast<void*>(first), last - first, MADV_DONTNEED);
    *static_cast<uint64_t*>(total) += last - first;
  }
  return 0;
}

}  // namespace

uint64_t ForgetCode() {
  uint64_t total = 0;
  dl_iterate_phdr(&ForgetCodeOf, &total);
  return total;
}

}  // namespace snug::openvino
