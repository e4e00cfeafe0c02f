// Which operators a piece of work calls, for `src/calls.rs`: LibTorch tells its observers of every call of an operator,
// which is what its profiler listens to as well. No exception leaves a function.

#include <ATen/core/Tensor.h>
#include <ATen/core/ivalue.h>
#include <ATen/record_function.h>

#include <algorithm>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace {

struct Tally {
  int64_t outer = 0, all = 0, moved = 0;
};

// A call that has begun and not ended.
struct Open {
  std::string_view name;
  bool of_host = false;  // the first thing it is given is a tensor on the host
  bool bare = true;      // it has called nothing
  bool copied = false;   // something below it has copied values
};

thread_local std::map<std::string, Tally> tallies;
thread_local std::vector<Open> open;
thread_local at::CallbackHandle counting = at::INVALID_CALLBACK_HANDLE;

bool starts(std::string_view name, std::string_view with) { return name.substr(0, with.size()) == with; }

bool observed(std::string_view name) {
  // Fused optimisers read the time of their step, which lies on the host only where the parameters do.
  auto fused = [](const Open& call) { return starts(call.name, "aten::_fused_"); };
  return starts(name, "aten::") && std::none_of(open.begin(), open.end(), fused);
}

bool of_host(at::ArrayRef<const c10::IValue> inputs, size_t index) {
  return inputs.size() > index && inputs[index].isTensor() && inputs[index].toTensor().is_cpu();
}

std::unique_ptr<at::ObserverContext> begin(const at::RecordFunction& call) {
  std::string_view name = call.name();
  if (!observed(name)) return nullptr;
  auto inputs = call.inputs();
  auto& tally = tallies[std::string(name)];
  tally.all++;
  for (auto& above : open) {
    above.bare = false;
    above.copied |= name == "aten::copy_";
  }
  // `copy_(to, from, non_blocking)` between host and card.
  bool blocks = !(inputs.size() > 2 && inputs[2].isBool() && inputs[2].toBool());
  if (name == "aten::copy_" && blocks && of_host(inputs, 0) != of_host(inputs, 1)) tally.moved++;
  open.push_back({name, of_host(inputs, 0)});
  return nullptr;
}

void end(const at::RecordFunction& call, at::ObserverContext*) {
  if (open.empty() || open.back().name != call.name()) return;
  auto closed = open.back();
  open.pop_back();
  // Views that turn out to be copies are told apart from those that do not.
  if (open.empty()) tallies[std::string(closed.name) + (closed.copied ? " (copy)" : "")].outer++;
  // From the host to the host: where a card is the device, one of the two is the card.
  if (closed.name == "aten::to" && closed.of_host && closed.bare && open.empty()) tallies["aten::to"].moved++;
}

}  // namespace

extern "C" {

// Counts the calls of this thread from here on.
void sll_libtorch_calls_begin() {
  try {
    tallies.clear();
    open.clear();
    auto callback = at::RecordFunctionCallback(begin, end).needsInputs(true).scopes({at::RecordScope::FUNCTION});
    counting = at::addThreadLocalCallback(callback);
  } catch (...) {
  }
}

// Ends that, and tells of each operator: its name, calls from outside LibTorch, all calls, and copies between host and
// device. Behind the name of a call that copies values below it stands " (copy)".
void sll_libtorch_calls_end(void* told, void (*tell)(void*, const char*, uint64_t, uint64_t, uint64_t)) {
  try {
    if (counting == at::INVALID_CALLBACK_HANDLE) return;
    at::removeCallback(counting);
    counting = at::INVALID_CALLBACK_HANDLE;
    for (auto& [name, tally] : tallies) tell(told, name.c_str(), tally.outer, tally.all, tally.moved);
    tallies.clear();
  } catch (...) {
  }
}

}  // extern "C"
