// Operators of LibTorch that tch has no names for, for `src/op/libtorch`. Tensors are tch's, which are pointers to
// at::Tensor; what comes back in `out` belongs to the caller. A function gives no text, or what went wrong, to be freed
// by the caller.

#include <ATen/core/Tensor.h>
#include <ATen/ops/_fused_adam.h>
#include <ATen/ops/_fused_adamw.h>
#include <ATen/ops/_fused_sgd.h>
#include <ATen/ops/convolution_backward.h>
#include <ATen/ops/full.h>
#include <ATen/ops/maximum.h>
#include <ATen/ops/native_batch_norm_backward.h>
#include <ATen/ops/native_layer_norm_backward.h>

#include <array>
#include <cstring>
#include <exception>
#include <tuple>
#include <vector>

namespace {

template <typename Work>
char* guarded(Work work) {
  try {
    work();
    return nullptr;
  } catch (const std::exception& error) {
    return strdup(error.what());
  } catch (...) {
    return strdup("an unknown error in LibTorch");
  }
}

void hand_over(at::Tensor** out, std::tuple<at::Tensor, at::Tensor, at::Tensor> found) {
  auto put = [&](int place, at::Tensor& tensor) {
    if (tensor.defined()) out[place] = new at::Tensor(std::move(tensor));
  };
  put(0, std::get<0>(found));
  put(1, std::get<1>(found));
  put(2, std::get<2>(found));
}

// A time at which no moment is corrected any more: 1 - beta^t is 1 to the last bit for every beta in use.
const at::Tensor& late(const at::Tensor& like) {
  thread_local std::array<at::Tensor, 65> times;
  auto& time = times.at(like.is_cpu() ? 0 : 1 + like.device().index());
  if (!time.defined()) time = at::full({}, 1e9, like.options().dtype(at::kFloat));
  return time;
}

}  // namespace

extern "C" {

// The map with its channels last in memory, as LibTorch's kernels on the CPU pool, norm and convolve best.
char* sll_libtorch_channels_last(at::Tensor** out, const at::Tensor* map) {
  return guarded([&] {
    auto last = at::MemoryFormat::ChannelsLast;
    // Of one channel it lies so already, and has to say so.
    if (map->size(1) == 1 && map->is_contiguous()) {
      auto h = map->size(2), w = map->size(3);
      out[0] = new at::Tensor(map->as_strided({map->size(0), 1, h, w}, {h * w, 1, w, 1}));
    } else {
      out[0] = new at::Tensor(map->is_contiguous(last) ? *map : map->contiguous(last));
    }
  });
}

// Values that lie in memory as those of `like` do, of the same shape.
char* sll_libtorch_laid_as(at::Tensor** out, const at::Tensor* values, const at::Tensor* like) {
  return guarded([&] {
    auto format = like->suggest_memory_format();
    out[0] = new at::Tensor(values->is_contiguous(format) ? *values : values->contiguous(format));
  });
}

// dx, dw and db of a convolution of stride 1, as far as they are wanted.
char* sll_libtorch_convolution_backward(at::Tensor** out, const at::Tensor* dy, const at::Tensor* x,
                                        const at::Tensor* weight, int64_t padding, bool to_input, bool to_weight) {
  return guarded([&] {
    std::array<int64_t, 2> one{1, 1}, zero{0, 0}, pad{padding, padding};
    std::array<int64_t, 1> bias{weight->size(0)};
    hand_over(out, at::convolution_backward(*dy, *x, *weight, at::IntArrayRef(bias), one, pad, one, false, zero, 1,
                                            {to_input, to_weight, to_weight}));
  });
}

// dx, dgamma and dbeta of a layer norm of the last dimension.
char* sll_libtorch_layer_norm_backward(at::Tensor** out, const at::Tensor* dy, const at::Tensor* x,
                                       const at::Tensor* mean, const at::Tensor* inverse, const at::Tensor* gamma) {
  return guarded([&] {
    std::array<int64_t, 1> shape{x->size(-1)};
    // The bias is asked for its type alone.
    hand_over(out, at::native_layer_norm_backward(*dy, *x, shape, *mean, *inverse, *gamma, *gamma, {true, true, true}));
  });
}

// dx, dgamma and dbeta of batch norm by the batch's own statistics.
char* sll_libtorch_batch_norm_backward(at::Tensor** out, const at::Tensor* dy, const at::Tensor* x,
                                       const at::Tensor* gamma,
                                       const at::Tensor* mean, const at::Tensor* inverse, double epsilon) {
  return guarded([&] {
    hand_over(out, at::native_batch_norm_backward(*dy, *x, *gamma, {}, {}, *mean, *inverse, true, epsilon,
                                                  {true, true, true}));
  });
}

// A step of Adam in place for each of `count` parameters, whose parameter, gradient and moments follow on each other.
// The corrections of the moments are in `rate` and `epsilon` already.
char* sll_libtorch_adam(at::Tensor* const* parts, size_t count, double rate, double beta_1, double beta_2,
                        double epsilon, double decay, bool decoupled) {
  return guarded([&] {
    std::array<std::vector<at::Tensor>, 5> lists;
    for (size_t index = 0; index < count; index++) {
      for (size_t part = 0; part < 4; part++) lists[part].push_back(*parts[4 * index + part]);
      lists[4].push_back(late(*parts[4 * index]));
    }
    auto& [thetas, gradients, ms, vs, times] = lists;
    if (decoupled) {
      at::_fused_adamw_(thetas, gradients, ms, vs, {}, times, rate, beta_1, beta_2, decay, epsilon, false, false);
    } else {
      at::_fused_adam_(thetas, gradients, ms, vs, {}, times, rate, beta_1, beta_2, decay, epsilon, false, false);
    }
  });
}

// The end of a step of Adamax in place, `u` multiplied by its coefficient and `fresh` being the norm of the gradient
// already.
char* sll_libtorch_adamax(at::Tensor* theta, const at::Tensor* m, at::Tensor* u, const at::Tensor* fresh, double rate) {
  return guarded([&] {
    at::maximum_out(*u, *u, *fresh);
    theta->addcdiv_(*m, *u, -rate);
  });
}

// A step of gradient descent in place, with a velocity where there is one.
char* sll_libtorch_sgd(at::Tensor* theta, at::Tensor* gradient, at::Tensor* velocity, double rate, double momentum,
                       double decay) {
  return guarded([&] {
    at::TensorList thetas(*theta), gradients(*gradient);
    at::TensorList velocities = velocity == nullptr ? at::TensorList() : at::TensorList(*velocity);
    const double kept = velocity == nullptr ? 0.0 : momentum;
    at::_fused_sgd_(thetas, gradients, velocities, decay, kept, rate, 0.0, false, false, false);
  });
}

}  // extern "C"
