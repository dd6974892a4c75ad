// Writes tars for tests, good and evil ones.
#pragma once

#include <archive.h>
#include <archive_entry.h>

#include <string>
#include <vector>

namespace snug::controller {

struct TarEntry {
  std::string path;
  std::string content;
  unsigned type = AE_IFREG;
  std::string symlink;
  std::string hardlink;
};

inline void WriteTar(const std::string& file, const std::vector<TarEntry>& entries) {
  archive* a = archive_write_new();
  archive_write_set_format_pax_restricted(a);
  archive_write_open_filename(a, file.c_str());
  for (const TarEntry& item : entries) {
    archive_entry* entry = archive_entry_new();
    archive_entry_set_pathname(entry, item.path.c_str());
    archive_entry_set_filetype(entry, item.type);
    archive_entry_set_perm(entry, 0644);
    archive_entry_set_size(entry, static_cast<la_int64_t>(item.content.size()));
    if (!item.symlink.empty()) archive_entry_set_symlink(entry, item.symlink.c_str());
    if (!item.hardlink.empty()) archive_entry_set_hardlink(entry, item.hardlink.c_str());
    archive_write_header(a, entry);
    archive_write_data(a, item.content.data(), item.content.size());
    archive_entry_free(entry);
  }
  archive_write_free(a);
}

}  // namespace snug::controller
