#include "supernet/nn/recompute.h"

#include <torch/torch.h>

namespace voxbit::supernet {
namespace {

struct Plan : torch::CustomClassHolder {
  TensorFunction body;
};

class RecomputeFunction : public torch::autograd::Function<RecomputeFunction> {
 public:
  static at::Tensor forward(torch::autograd::AutogradContext* ctx,
                            const c10::intrusive_ptr<Plan>& plan, const at::TensorList& inputs) {
    ctx->saved_data["plan"] = c10::IValue::make_capsule(plan);
    ctx->save_for_backward(inputs.vec());
    return plan->body(inputs.vec());
  }

  static torch::autograd::variable_list backward(torch::autograd::AutogradContext* ctx,
                                                 torch::autograd::variable_list grads) {
    const auto capsule = ctx->saved_data["plan"].toCapsule();
    const auto& plan = static_cast<const Plan&>(*capsule);
    std::vector<at::Tensor> inputs;
    for (const at::Tensor& saved : ctx->get_saved_variables()) {
      inputs.push_back(saved.detach().requires_grad_(saved.requires_grad()));
    }
    {
      const at::AutoGradMode with_gradients(true);
      torch::autograd::backward({plan.body(inputs)}, {grads[0]});
    }
    torch::autograd::variable_list result = {at::Tensor()};  // the plan has none
    for (const at::Tensor& input : inputs) result.push_back(input.grad());
    return result;
  }
};

}  // namespace

at::Tensor Recomputed(const TensorFunction& body, const std::vector<at::Tensor>& inputs) {
  auto plan = c10::make_intrusive<Plan>();
  plan->body = body;
  return RecomputeFunction::apply(plan, at::TensorList(inputs));
}

}  // namespace voxbit::supernet
