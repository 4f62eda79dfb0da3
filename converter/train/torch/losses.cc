// The losses in terms of libtorch.
#include "train/torch/losses.h"

#include <cmath>

namespace kinglet::train {

using torch::Tensor;

namespace {

constexpr double kMasked = -1e30;

// KL(softmax(teacher) ‖ softmax(student)) of the last dimension; where a score is masked in both, its share is 0.
Tensor divergence(const Tensor& student, const Tensor& teacher) {
  const Tensor target = torch::log_softmax(teacher, -1);
  return (target.exp() * (target - torch::log_softmax(student, -1))).sum(-1);
}

// The logits of beginnings and ends, [rows, 2, columns], that of no token being filler.
Tensor ends(const Tensor& logits, const Inputs& inputs) {
  return logits.transpose(1, 2).masked_fill(inputs.mask.logical_not().unsqueeze(1), kMasked);
}

Tensor mean_over_tokens(const Tensor& per_token, const Inputs& inputs) {
  return per_token.masked_fill(inputs.mask.logical_not(), 0).sum() / inputs.lengths.sum().to(torch::kFloat32);
}

}  // namespace

Tensor label_loss(Kind kind, const Tensor& logits, const Batch& batch, const Inputs& inputs) {
  const torch::Device device = logits.device();
  if (kind == Kind::regress) {
    const Tensor truth = torch::tensor(batch.scores, torch::kFloat32).to(device);
    const Tensor known = torch::isnan(truth).logical_not();
    const Tensor count = known.sum();
    if (count.item<int64_t>() == 0) {
      return {};
    }
    const Tensor difference = torch::where(known, logits.squeeze(-1) - truth, torch::zeros_like(truth));
    return (difference * difference).sum() / count;
  }
  const Tensor truth = torch::tensor(batch.labels, torch::kInt64).to(device);
  const Tensor known = truth.ge(0);
  const Tensor count = known.sum();
  if (count.item<int64_t>() == 0) {
    return {};
  }
  const Tensor rows =
      kind == Kind::answer ? ends(logits, inputs).reshape({-1, logits.size(1)}) : logits.reshape({-1, logits.size(-1)});
  const Tensor chosen = torch::log_softmax(rows, -1)
                            .gather(1, truth.clamp_min(0).unsqueeze(1))
                            .squeeze(1)
                            .masked_fill(known.logical_not(), 0);
  return chosen.sum().neg() / count;
}

Tensor logit_loss(Kind kind, const Tensor& student, const Tensor& teacher, const Inputs& inputs, double temperature) {
  if (kind == Kind::regress) {
    return torch::mse_loss(student, teacher);
  }
  const double square = temperature * temperature;
  if (kind == Kind::answer) {
    return divergence(ends(student, inputs) / temperature, ends(teacher, inputs) / temperature).mean() * square;
  }
  const Tensor each = divergence(student / temperature, teacher / temperature);
  return (kind == Kind::tag ? mean_over_tokens(each, inputs) : each.mean()) * square;
}

Tensor hidden_loss(const Tensor& student, const Tensor& teacher, const Inputs& inputs) {
  const Tensor difference = student - teacher;
  return mean_over_tokens((difference * difference).mean(-1), inputs);
}

Tensor attention_loss(const Projected& student, const Projected& teacher, const Inputs& inputs, int64_t heads) {
  const Tensor filler = inputs.mask.logical_not().unsqueeze(1).unsqueeze(1);
  const auto relation = [&](const Tensor& a, const Tensor& b) {
    const int64_t width = a.size(2) / heads;
    const auto split = [&](const Tensor& in) {
      return in.reshape({in.size(0), in.size(1), heads, width}).transpose(1, 2);
    };
    const Tensor scores = torch::matmul(split(a), split(b).transpose(2, 3)) / std::sqrt(static_cast<double>(width));
    return scores.masked_fill(filler, kMasked);
  };
  const Tensor looked = divergence(relation(student.query, student.key), relation(teacher.query, teacher.key));
  const Tensor carried = divergence(relation(student.value, student.value), relation(teacher.value, teacher.value));
  return mean_over_tokens(looked.mean(1) + carried.mean(1), inputs);
}

}  // namespace kinglet::train
