// What `src/memory/libtorch.rs` asks of LibTorch. Only c10 and ATen's public headers are used, so that one source
// serves LibTorch with and without CUDA. No exception leaves a function.

#include <ATen/Context.h>
#include <ATen/Version.h>
#include <c10/core/Allocator.h>
#include <c10/core/CachingDeviceAllocator.h>
#include <c10/util/ThreadLocalDebugInfo.h>
#include <torch/version.h>

#ifdef __GLIBC__
#include <malloc.h>
#endif

#include <algorithm>
#include <cstring>
#include <string>

namespace {

using Report = void (*)(void*, int64_t, bool);

struct Watcher : c10::MemoryReportingInfoBase {
  explicit Watcher(Report report) : report(report) {}

  void reportMemoryUsage(void* block, int64_t bytes, size_t, size_t, c10::Device device) override {
    if (device.is_cpu() || device.is_cuda()) report(block, bytes, device.is_cuda());
  }

  bool memoryProfilingEnabled() const override { return true; }

  Report report;
};

c10::DeviceAllocator* cuda_allocator() {
  return dynamic_cast<c10::DeviceAllocator*>(c10::GetAllocator(c10::DeviceType::CUDA));
}

}  // namespace

extern "C" {

void sll_libtorch_watch(Report report) {
  try {
    c10::ThreadLocalDebugInfo::_push(c10::DebugInfoKind::PROFILER_STATE, std::make_shared<Watcher>(report));
  } catch (...) {
  }
}

struct SllCudaBytes {
  int64_t reserved, reserved_peak;
};

bool sll_libtorch_cuda_bytes(int8_t card, SllCudaBytes* found) {
  try {
    auto* allocator = cuda_allocator();
    if (allocator == nullptr || !allocator->initialized()) return false;
    auto stats = allocator->getDeviceStats(card);
    auto& reserved = stats.reserved_bytes[0];  // 0: of all pools together
    *found = {reserved.current, reserved.peak};
    return true;
  } catch (...) {
    return false;
  }
}

void sll_libtorch_cuda_reset_peak(int8_t card) {
  try {
    auto* allocator = cuda_allocator();
    if (allocator != nullptr && allocator->initialized()) allocator->resetPeakStats(card);
  } catch (...) {
  }
}

// Writes the headers' version, a new line, and the library's; gives the number of bytes written.
size_t sll_libtorch_versions(char* text, size_t room) {
  try {
    std::string key = "TORCH_VERSION=", config = at::show_config(), runs;
    auto at = config.find(key);
    if (at != std::string::npos) {
      at += key.size();
      runs = config.substr(at, config.find_first_of(", \n", at) - at);
    }
    auto all = std::string(TORCH_VERSION) + "\n" + runs;
    auto written = std::min(room, all.size());
    std::memcpy(text, all.data(), written);
    return written;
  } catch (...) {
    return 0;
  }
}

// Whether there is a CUDA half; its version and the number of cards it sees.
bool sll_libtorch_cuda(int64_t* version, int64_t* cards) {
  try {
    if (!at::Context::hasCUDART()) return false;
    *version = at::Context::versionCUDART();
    *cards = static_cast<int64_t>(at::getNumGPUs());
    return true;
  } catch (...) {
    return at::Context::hasCUDART();
  }
}

void sll_libtorch_full_precision() {
  try {
    at::globalContext().setAllowTF32CuBLAS(false);
    at::globalContext().setAllowTF32CuDNN(false);
  } catch (...) {
  }
}

// Freed memory stays with the process: LibTorch's allocator on the CPU asks glibc, which gives large blocks back at
// once and gets them page by page again in every step.
void sll_libtorch_keep_freed() {
#ifdef __GLIBC__
  mallopt(M_MMAP_MAX, 0);
  mallopt(M_TRIM_THRESHOLD, -1);
  mallopt(M_TOP_PAD, 64 << 20);
#endif
}

}  // extern "C"
