// What a student is held against: true labels and a teacher. All are means over what counts, scalars with gradients.
#pragma once

#include <torch/torch.h>

#include "train/torch/network.h"

namespace kinglet::train {

// Cross entropy, or the mean square for numbers; undefined where the batch has no label at all. `logits`: [rows, n], or
// [rows, columns, n] for tags and answers.
torch::Tensor label_loss(Kind kind, const torch::Tensor& logits, const Batch& batch, const Inputs& inputs);

// T²·KL(softmax(teacher/T) ‖ softmax(student/T)) (Hinton et al., 2015); the mean square for numbers.
torch::Tensor logit_loss(Kind kind, const torch::Tensor& student, const torch::Tensor& teacher, const Inputs& inputs,
                         double temperature);

// The mean square of the difference over all tokens; both [rows, columns, width].
torch::Tensor hidden_loss(const torch::Tensor& student, const torch::Tensor& teacher, const Inputs& inputs);

// KL(teacher ‖ student) of softmax(q·kᵀ/√d) and of softmax(v·vᵀ/√d), the mean over tokens and heads (MiniLM, Wang et
// al., 2020). Both are cut into `heads` parts of equal width.
torch::Tensor attention_loss(const Projected& student, const Projected& teacher, const Inputs& inputs, int64_t heads);

}  // namespace kinglet::train
