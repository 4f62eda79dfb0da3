// How much arithmetic a model's program is.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

namespace kinglet::cli {

// Reads the program of a model file. Throws InputError when the model cannot be opened.
class Workload {
 public:
  static Workload of_file(const std::string& path);
  ~Workload();
  Workload(Workload&&) noexcept;

  // Multiplications and additions of all matrix products and of attention's two products, for `sequences` sequences
  // of `length` tokens each. Norms, activations and softmax are not counted.
  double operations(uint64_t length, uint64_t sequences) const;
  // Scores that pass through a softmax, and numbers that pass through an activation function of a product of tokens.
  double softmax_elements(uint64_t length, uint64_t sequences) const;
  double activation_elements(uint64_t length, uint64_t sequences) const;
  // Bytes of all matrices that the program names: what one call reads from memory when no cache holds it.
  uint64_t matrix_bytes() const;

 private:
  struct Opened;
  explicit Workload(std::unique_ptr<Opened> opened);
  std::unique_ptr<Opened> opened_;
};

}  // namespace kinglet::cli
