// SPDX-License-Identifier: Apache-2.0
// Every fuzz target without libFuzzer: its seeds, and inputs made of them by chance. Runs wherever
// the suites run, in a second or two; the preset `fuzz` searches on, guided by coverage.
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>
#include <string>
#include <vector>

#include "tests/support/check_result.h"

#define X(target) extern "C" int target(const std::uint8_t* data, std::size_t size);
#include "targets.inc"
#undef X

namespace {

using Target = int (*)(const std::uint8_t*, std::size_t);

constexpr int kMade = 400;  // inputs per target beside the seeds

std::string current;  // what a target reads at present, for whoever looks for the crash

// Says the input, then lets the signal end the process. Only async-signal-safe calls.
void say_input(int number) {
  constexpr char kDigits[] = "0123456789abcdef";
  (void)!::write(2, "\nthe input, in hex: ", 20);
  for (const char byte : current) {
    const auto value = static_cast<unsigned char>(byte);
    const char pair[2] = {kDigits[value >> 4], kDigits[value & 15]};
    (void)!::write(2, pair, 2);
  }
  (void)!::write(2, "\n", 1);
  std::signal(number, SIG_DFL);
  (void)std::raise(number);
}

std::vector<std::string> seeds_of(const std::string& name) {
  std::vector<std::filesystem::path> paths;
  for (const auto& entry : std::filesystem::directory_iterator(FUZZ_CORPUS "/" + name)) {
    paths.push_back(entry.path());
  }
  std::sort(paths.begin(), paths.end());  // the same inputs on every machine
  std::vector<std::string> seeds;
  for (const auto& path : paths) {
    std::ifstream file(path, std::ios::binary);
    seeds.emplace_back(std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>());
  }
  CHECK_TEXT(!seeds.empty(), "a target has a seed");
  return seeds;
}

class Chance {
 public:
  std::size_t below(std::size_t end) { return end == 0 ? 0 : random_() % end; }
  char byte() { return static_cast<char>(random_()); }

 private:
  std::mt19937_64 random_{20261201};
};

// One small change: a bit, a byte, a piece that goes, comes twice or comes from another seed.
void change(std::string& input, const std::string& other, Chance& chance) {
  const std::size_t at = chance.below(input.size());
  const std::size_t length = 1 + chance.below(16);
  switch (chance.below(6)) {
    case 0:
      if (!input.empty()) input[at] = static_cast<char>(input[at] ^ (1 << chance.below(8)));
      break;
    case 1:
      if (!input.empty()) input[at] = chance.byte();
      break;
    case 2: input.insert(at, 1, chance.byte()); break;
    case 3: input.erase(at, length); break;
    case 4: input.insert(at, input.substr(chance.below(input.size()), length)); break;
    default: input.insert(at, other.substr(chance.below(other.size()), length)); break;
  }
}

void give(Target target, std::string input) {
  current = std::move(input);
  // On the heap and of this size, so that a sanitizer sees the first byte behind it.
  const std::vector<std::uint8_t> bytes(current.begin(), current.end());
  target(bytes.data(), bytes.size());
}

void replay(const std::string& name, Target target) {
  const std::vector<std::string> seeds = seeds_of(name);
  give(target, "");
  for (const std::string& seed : seeds) give(target, seed);
  Chance chance;
  for (int i = 0; i < kMade; ++i) {
    std::string input = seeds[chance.below(seeds.size())];
    const std::string& other = seeds[chance.below(seeds.size())];
    for (std::size_t left = 1 + chance.below(8); left > 0; --left) change(input, other, chance);
    give(target, std::move(input));
  }
}

}  // namespace

TEST_GROUP(FuzzReplay){
    void setup() override{for (const int number
                               : {SIGABRT, SIGSEGV, SIGFPE, SIGILL}) std::signal(number, say_input);
}
}
;

#define X(target) \
  TEST(FuzzReplay, target) { replay(#target, ::target); }
#include "targets.inc"
#undef X
