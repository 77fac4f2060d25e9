// SPDX-License-Identifier: Apache-2.0
// Images from a real registry and from an archive, on a real node. The registry listens on the
// node's loopback and writes down each request.
#include "node/agent/image_fetch.h"

#include <filesystem>
#include <fstream>
#include <sstream>

#include "common/base/config.h"
#include "common/base/text.h"
#include "common/sys/process.h"
#include "node/agent/tcp_probe.h"
#include "tests/support/check_result.h"
#include "tests/unit/node/agent/container_rig.h"

using agent_test::ContainerRig;
using agent_test::free_port;
using agent_test::run_until;
using node::agent::Image;
using node::api::InstanceState;

namespace {

namespace fs = std::filesystem;

constexpr const char* kRegistry = "/usr/libexec/gestalt-test/docker-registry";
constexpr const char* kUnit = "test-registry.service";
// Of the user "gestalt" with the password "secret".
constexpr const char* kPasswords =
    "gestalt:$2b$04$a0g69ytdk4DR4h/OowN9Xu/nlnGhDQIHya6PFmzkr2CN85e2vfCgW\n";
constexpr const char* kLogin = "Z2VzdGFsdDpzZWNyZXQ=";

void write_text(const fs::path& file, const std::string& text, int mode = 0600) {
  fs::create_directories(file.parent_path());
  std::ofstream(file) << text;
  fs::permissions(file, static_cast<fs::perms>(mode));
}

std::string read_text(const fs::path& file) {
  std::ifstream in(file);
  std::stringstream out;
  out << in.rdbuf();
  return out.str();
}

// Flips a byte.
void damage(const fs::path& file) {
  std::string text = read_text(file);
  text[text.size() / 2] = static_cast<char>(text[text.size() / 2] ^ 1);
  write_text(file, text);
}

}  // namespace

TEST_GROUP_BASE(ImageFetch, ContainerRig) {
  const std::uint16_t registry_port = free_port();
  std::vector<std::string> said;  // progress

  void teardown() override {
    [[maybe_unused]] auto ended =
        sys::run({.argv = {"/usr/bin/systemctl", "stop", kUnit}, .environment = {}});
    fs::remove_all("/root/.docker");
    ContainerRig::teardown();
  }
  std::string address() const { return "127.0.0.1:" + std::to_string(registry_port); }
  std::string remote(const std::string& tag) const {
    return "docker://" + address() + "/demo" + tag;
  }
  std::string local(const std::string& tag) const {
    return "oci:" + folder.path().string() + "/image:" + tag;
  }
  void start_registry(bool with_passwords = false) {
    std::string text =
        "version: 0.1\nlog: {accesslog: {disabled: false}}\nstorage: {filesystem: "
        "{rootdirectory: " +
        (folder / "registry").string() + "}}\nhttp: {addr: '" + address() + "'}\n";
    if (with_passwords) {
      write_text(folder / "passwords", kPasswords);
      text += "auth: {htpasswd: {realm: test, path: " + (folder / "passwords").string() + "}}\n";
    }
    write_text(folder / "registry.yml", text);
    const std::string log = "StandardOutput=append:" + (folder / "requests").string();
    run_tool({"/usr/bin/systemd-run", "--collect", "--unit", kUnit, "-p", log, kRegistry, "serve",
              folder / "registry.yml"});
    run_until(*loop,
              [&] { return node::agent::check_port_free(registry_port).has_value() == false; });
    config.images.plain_registries = {address()};
  }
  void run_tool(std::vector<std::string> argv) {
    auto done = sys::run_checked({.argv = std::move(argv), .environment = {}});
    if (!done) FAIL(base::to_string(done.error()).c_str());
  }
  void push(const std::string& from, const std::string& to, bool with_password = false) {
    std::vector<std::string> argv{"/usr/bin/skopeo", "copy", "--dest-tls-verify=false"};
    if (with_password) argv.insert(argv.end(), {"--dest-creds", "gestalt:secret"});
    argv.insert(argv.end(), {local(from), remote(to)});
    run_tool(argv);
  }
  // A second image: the first and one layer more.
  void make_second() {
    const std::string image = folder.path().string() + "/image:";
    run_tool({"/usr/bin/umoci", "tag", "--image", image + "latest", "second"});
    write_text(folder / "extra", "extra\n", 0644);
    run_tool({"/usr/bin/umoci", "insert", "--image", image + "second", folder / "extra", "/extra"});
  }
  base::Result<Image> fetch(const std::string& reference) {
    std::optional<base::Result<Image>> out;
    agent->images->ensure(
        reference, true, [this](const std::string& message) { said.push_back(message); },
        [&](base::Result<Image> image) { out = std::move(image); });
    run_until(*loop, [&] { return out.has_value(); });
    return *out;
  }
  std::size_t requests(const std::string& what) const {
    std::size_t count = 0;
    std::ifstream file(folder / "requests");
    for (std::string line; std::getline(file, line);) count += line.find(what) != std::string::npos;
    return count;
  }
  fs::path blob(const std::string& digest) const {
    const std::string hex = digest.substr(7);
    return folder / "registry/docker/registry/v2/blobs/sha256" / hex.substr(0, 2) / hex / "data";
  }
  // What the registry keeps, largest first: the layers come before configuration and manifest.
  std::vector<fs::path> blobs_of_registry() const {
    std::vector<fs::path> out;
    for (const auto& each : fs::recursive_directory_iterator(folder / "registry")) {
      if (each.path().filename() == "data") out.push_back(each.path());
    }
    std::sort(out.begin(), out.end(), [](const fs::path& a, const fs::path& b) {
      return fs::file_size(a) > fs::file_size(b);
    });
    return out;
  }
};

TEST(ImageFetch, an_instance_runs_from_a_registry_and_its_fetch_is_seen) {
  start_registry();
  push("latest", ":1");
  spec.image = remote(":1");
  wish("a", port);
  apply();
  wait_for("a", InstanceState::running);
  bool seen = false;
  for (const auto& report : peers.reports) {
    for (const auto& each : report.instances) {
      seen = seen ||
             (each.state == InstanceState::staging && each.message.starts_with("Copying blob"));
    }
  }
  CHECK(seen);
}

TEST(ImageFetch, a_second_image_fetches_only_the_layers_that_are_new) {
  start_registry();
  make_second();
  push("latest", ":1");
  const std::string shared = blobs_of_registry()[0].parent_path().filename();
  push("second", ":2");
  CHECK_OK(fetch(remote(":1")));
  LONGS_EQUAL(1, requests("\"GET /v2/demo/blobs/sha256:" + shared));
  CHECK_OK(fetch(remote(":2")));
  LONGS_EQUAL(1, requests("\"GET /v2/demo/blobs/sha256:" + shared));
  CHECK(fs::exists(agent->images->find(remote(":2"))->tree / "extra"));
  LONGS_EQUAL(2, agent->images->list().size());
}

TEST(ImageFetch, an_image_by_digest_is_that_image_and_no_other) {
  start_registry();
  push("latest", ":1");
  const std::string digest = UNWRAP(fetch(remote(":1"))).digest;
  STRCMP_EQUAL(digest.c_str(), UNWRAP(fetch(remote("@" + digest))).digest.c_str());
  const std::string wrong = "sha256:" + std::string(64, '0');
  CHECK_ERROR(base::Code::unavailable, "image_pull_failed", fetch(remote("@" + wrong)));
}

TEST(ImageFetch, a_registry_that_sends_something_else_is_refused) {
  start_registry();
  push("latest", ":1");
  const std::string digest = UNWRAP(fetch(remote(":1"))).digest;
  CHECK_OK(agent->images->remove(digest, {}));
  agent->images->collect({}, true);
  damage(blobs_of_registry()[0]);
  CHECK_ERROR(base::Code::unavailable, "image_pull_failed", fetch(remote(":1")));
  LONGS_EQUAL(0, agent->images->list().size());
}

TEST(ImageFetch, a_manifest_that_is_not_what_its_digest_says_is_refused) {
  start_registry();
  push("latest", ":1");
  const std::string digest = UNWRAP(fetch(remote(":1"))).digest;
  std::string text = read_text(blob(digest));
  write_text(blob(digest), text + "\n");
  CHECK_ERROR(base::Code::unavailable, "image_pull_failed", fetch(remote("@" + digest)));
}

TEST(ImageFetch, a_damaged_blob_of_the_cache_is_found_and_fetched_again) {
  start_registry();
  push("latest", ":1");
  const std::string digest = UNWRAP(fetch(remote(":1"))).digest;
  CHECK_OK(agent->images->remove(digest, {}));
  const fs::path layer = blobs_of_registry()[0].parent_path().filename();
  damage(config.state_folder / "images/blobs/sha256" / layer);
  CHECK_ERROR(base::Code::unavailable, "image_invalid", fetch(remote(":1")));
  LONGS_EQUAL(0, agent->images->list().size());
  CHECK_OK(fetch(remote(":1")));
}

TEST(ImageFetch, credentials_come_from_the_configured_file_only) {
  start_registry(true);
  push("latest", ":1", true);
  const std::string login =
      R"({"auths":{")" + address() + R"(":{"auth":")" + std::string(kLogin) + "\"}}}";
  write_text("/root/.docker/config.json", login);
  CHECK_ERROR(base::Code::unavailable, "image_pull_failed", fetch(remote(":1")));
  config.images.credentials_file = folder / "login.json";
  write_text(config.images.credentials_file, login, 0644);
  CHECK_ERROR(base::Code::failed_precondition, "credentials_exposed", fetch(remote(":1")));
  write_text(config.images.credentials_file, login);
  CHECK_OK(fetch(remote(":1")));
}

TEST(ImageFetch, a_registry_without_tls_must_be_named) {
  start_registry();
  push("latest", ":1");
  config.images.plain_registries.clear();
  CHECK_ERROR(base::Code::unavailable, "image_pull_failed", fetch(remote(":1")));
}

TEST(ImageFetch, an_archive_runs_like_a_layout) {
  run_tool({"/usr/bin/skopeo", "copy", local("latest"),
            "oci-archive:" + (folder / "image.tar").string() + ":v1"});
  spec.image = "oci-archive:" + (folder / "image.tar").string() + ":v1";
  wish("a", port);
  apply();
  wait_for("a", InstanceState::running);
}

TEST(ImageFetch, an_archive_that_was_cut_off_is_refused) {
  run_tool({"/usr/bin/skopeo", "copy", local("latest"),
            "oci-archive:" + (folder / "image.tar").string() + ":v1"});
  fs::resize_file(folder / "image.tar", fs::file_size(folder / "image.tar") / 2);
  const auto image = fetch("oci-archive:" + (folder / "image.tar").string() + ":v1");
  CHECK_FALSE(image.has_value());
}
