// Wrote the models beside it; not part of the build. With the flags of libsnug_torch: make_models DIRECTORY
#include <torch/script.h>

int main(int, char** argv) {
  const std::string to = argv[1];
  torch::jit::Module linear("Linear");
  linear.register_parameter("w", at::arange(12, at::kFloat).reshape({4, 3}) / 10, false);
  linear.register_parameter("b", at::tensor({0.5f, -1.0f, 2.0f}), false);
  linear.define(
      "def forward(self, x, scale: float = 1.0):\n    return torch.mm(x, self.w) * scale + self.b\n");
  linear.save(to + "/linear/model.pt");
  torch::jit::Module counter("Counter");  // keeps a count, and answers by name
  counter.register_buffer("count", at::zeros({1}, at::kLong));
  counter.define(
      "def forward(self, x):\n    self.count += 1\n    return {\"count\": self.count.clone(), \"sum\": "
      "x.sum(1)}\n");
  counter.save(to + "/counter/model.pt");
  torch::jit::Module pair("Pair");  // 7 is float64
  pair.define("def forward(self, x):\n    return x + 1, x.to(7)\n");
  pair.save(to + "/pair/model.pt");
}
