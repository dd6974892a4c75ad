#include "engines/openvino/weights_file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <openvino/op/constant.hpp>
#include <string_view>
#include <utility>
#include <vector>

namespace snug::openvino {
namespace {

using ov::op::v0::Constant;

constexpr size_t kAlignment = 64;  // of each constant, as OpenVINO's own memory has it
constexpr std::string_view kFileName = "snug-weights-";
// statfs' names of file systems that are memory.
constexpr long kTmpfs = 0x01021994, kRamfs = 0x858458f6;

class Mapping : public WeightsFile {
 public:
  Mapping(void* data, size_t bytes) : data_(data), bytes_(bytes) {}
  ~Mapping() override { munmap(data_, bytes_); }
  Mapping(const Mapping&) = delete;
  Mapping& operator=(const Mapping&) = delete;
  void Forget() const override { madvise(data_, bytes_, MADV_DONTNEED); }
  const char* data() const { return static_cast<const char*>(data_); }

 private:
  void* const data_;
  const size_t bytes_;
};

bool IsOnDisk(const std::string& directory) {
  struct statfs status {};
  if (statfs(directory.c_str(), &status) != 0) return false;
  return status.f_type != kTmpfs && status.f_type != kRamfs;
}

// Unlinked: whatever becomes of this process, nothing of it stays. -1 where there is none to be had.
int OpenUnlinkedFile() {
  const char* own = std::getenv("TMPDIR");
  for (const std::string& directory :
       {std::string(own != nullptr ? own : ""), std::string("/var/tmp"), std::string("/tmp")}) {
    if (directory.empty() || !IsOnDisk(directory)) continue;
    std::string path = directory + "/" + std::string(kFileName) + "XXXXXX";
    const int fd = mkostemp(path.data(), O_CLOEXEC);
    if (fd < 0) continue;
    unlink(path.c_str());
    return fd;
  }
  return -1;
}

bool WriteAll(int fd, const void* data, size_t bytes, size_t offset) {
  const char* at = static_cast<const char*>(data);
  while (bytes > 0) {
    const ssize_t written = pwrite(fd, at, bytes, static_cast<off_t>(offset));
    if (written <= 0) return false;  // no room: the caller goes without
    at += written;
    offset += static_cast<size_t>(written);
    bytes -= static_cast<size_t>(written);
  }
  return true;
}

struct Place {
  std::shared_ptr<Constant> constant;
  size_t offset = 0;
};

// The large constants, and where in the file each is to be; `bytes` becomes the file's size.
std::vector<Place> PlacesOf(const ov::Model& model, size_t& bytes) {
  std::vector<Place> places;
  for (const auto& node : model.get_ops()) {
    auto constant = std::dynamic_pointer_cast<Constant>(node);
    if (!constant || constant->get_element_type() == ov::element::string) continue;
    if (constant->get_byte_size() < kConstantBytesMin) continue;
    places.push_back({constant, bytes});
    bytes += (constant->get_byte_size() + kAlignment - 1) / kAlignment * kAlignment;
  }
  return places;
}

std::shared_ptr<Mapping> WriteAndMap(int fd, const std::vector<Place>& places, size_t bytes) {
  for (const Place& place : places) {
    if (!WriteAll(fd, place.constant->get_data_ptr(), place.constant->get_byte_size(), place.offset))
      return nullptr;
  }
  if (ftruncate(fd, static_cast<off_t>(bytes)) != 0) return nullptr;
  void* data = mmap(nullptr, bytes, PROT_READ, MAP_SHARED, fd, 0);
  return data == MAP_FAILED ? nullptr : std::make_shared<Mapping>(data, bytes);
}

void Replace(const Place& place, const std::shared_ptr<Mapping>& mapping) {
  const auto& old = place.constant;
  auto fresh = std::make_shared<Constant>(old->get_element_type(), old->get_shape(),
                                          mapping->data() + place.offset, mapping);
  fresh->set_friendly_name(old->get_friendly_name());
  fresh->get_rt_info() = old->get_rt_info();
  fresh->output(0).set_names(old->output(0).get_names());
  fresh->output(0).get_rt_info() = old->output(0).get_rt_info();
  old->output(0).replace(fresh->output(0));
}

}  // namespace

std::shared_ptr<const WeightsFile> MoveWeightsToFile(ov::Model& model) {
  size_t bytes = 0;
  const std::vector<Place> places = PlacesOf(model, bytes);
  if (bytes < kWeightsBytesMin) return nullptr;
  const int fd = OpenUnlinkedFile();
  if (fd < 0) return nullptr;
  const std::shared_ptr<Mapping> mapping = WriteAndMap(fd, places, bytes);
  close(fd);
  if (!mapping) return nullptr;
  for (const Place& place : places) Replace(place, mapping);
  return mapping;
}

void ForgetPagesOf(const std::string& path) {
  std::ifstream maps("/proc/self/maps");
  for (std::string line; std::getline(maps, line);) {
    const size_t at = line.find('/');
    if (at == std::string::npos) continue;
    const std::string_view name = std::string_view(line).substr(at);
    const bool is_it = name == path || (name.starts_with(path) && name[path.size()] == '/');
    unsigned long begin = 0, end = 0;
    char rights[5] = "";
    if (!is_it || std::sscanf(line.c_str(), "%lx-%lx %4s", &begin, &end, rights) != 3) continue;
    // NOLINTNEXTLINE(performance-no-int-to-ptr): addresses are what the file tells
    if (rights[1] != 'w') madvise(reinterpret_cast<void*>(begin), end - begin, MADV_DONTNEED);
  }
}

}  // namespace snug::openvino
