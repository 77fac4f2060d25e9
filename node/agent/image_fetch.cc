// SPDX-License-Identifier: Apache-2.0
#include "node/agent/image_fetch.h"

#include <sys/stat.h>
#include <unistd.h>

#include <nlohmann/json.hpp>

#include "common/base/clock.h"
#include "common/base/config.h"
#include "common/base/text.h"
#include "common/sys/files.h"
#include "common/sys/process.h"
#include "common/sys/tls.h"
#include "node/agent/blob_cache.h"

namespace node::agent {

namespace {

using base::Json;

constexpr std::size_t kBlobMax = 8 << 20;  // of manifests and configurations
constexpr std::string_view kTag = "image";

// Removes the staging folder when the fetch ends, however it ends.
class Staging {
 public:
  explicit Staging(std::filesystem::path folder) : folder_(std::move(folder)) {}
  ~Staging() {
    // What is left over is removed at the next start of the agent.
    [[maybe_unused]] auto removed = sys::remove_tree(folder_);
  }
  Staging(const Staging&) = delete;
  Staging& operator=(const Staging&) = delete;

 private:
  std::filesystem::path folder_;
};

base::Result<std::string> run_tool(const FetchInput& input, std::vector<std::string> argv,
                                   std::string_view failure) {
  const std::string tool = std::filesystem::path(argv[0]).filename();
  sys::Command command{.argv = std::move(argv), .environment = {{"HOME", input.staging}}};
  command.environment["TMPDIR"] = input.staging;
  command.deadline = input.config.images.pull_deadline;
  command.on_output = [&](std::string_view chunk) {
    for (const std::string_view line : base::split(chunk, '\n')) {
      if (line.starts_with("Copying") || line.starts_with("Writing")) {
        input.progress(std::string(line.substr(0, 100)));
      }
    }
  };
  auto output = sys::run_checked(command);
  if (output) return output;
  base::Error error = base::prepend(tool, std::move(output).error());
  if (error.code != base::Code::timed_out) error.code = base::Code::unavailable;
  error.reason = failure;
  return error;
}

// The blob `digest` of a layout, its content compared with its name.
base::Result<std::string> read_blob(const std::filesystem::path& layout,
                                    const std::string& digest) {
  const std::string hex = digest.substr(7);
  std::string text = TRY(base::read_file(layout / "blobs" / "sha256" / hex, kBlobMax));
  if (sys::sha256_hex(text) != hex) {
    return base::Error{base::Code::corrupt, "the blob " + digest + " is not what its name says",
                       "image_invalid"};
  }
  return text;
}

// The first is the manifest, the second the configuration.
base::Result<std::vector<std::string>> digests_in(const std::filesystem::path& layout,
                                                  const std::string& manifest_digest) {
  const std::string manifest = TRY(read_blob(layout, manifest_digest));
  return digests_of(manifest, manifest_digest);
}

std::int64_t size_of_tree(const std::filesystem::path& folder) {
  std::int64_t bytes = 0;
  std::error_code failed;
  for (std::filesystem::recursive_directory_iterator at(folder, failed), end; !failed && at != end;
       at.increment(failed)) {
    std::error_code ignored;
    if (at->is_regular_file(ignored) && !at->is_symlink(ignored)) {
      bytes += static_cast<std::int64_t>(at->file_size(ignored));
    }
  }
  return bytes;
}

std::filesystem::path folder_of(const std::filesystem::path& trees, const std::string& digest) {
  return trees / digest.substr(7);
}

base::Result<Image> unpack(const FetchInput& input, const std::filesystem::path& layout,
                           const std::vector<std::string>& digests) {
  Image image;
  const std::string& digest = image.digest = digests[0];
  const std::string config = TRY(read_blob(layout, digests[1]));
  image.config = TRY(read_image_config(config));
  input.progress("unpacking the image");
  const std::filesystem::path made = input.staging / "tree";
  TRY(sys::make_folder(made, 0711));
  TRY(run_tool(input,
               {input.config.umoci, "raw", "unpack", "--image",
                layout.string() + ":" + std::string(kTag), made / "rootfs"},
               "image_invalid"));
  image.size_bytes = size_of_tree(made / "rootfs");
  image.pulled_at = base::format_time(base::system_clock().wall());
  image.references = {input.reference};
  image.tree = made / "rootfs";
  TRY(save_image(image));
  const std::filesystem::path folder = folder_of(input.trees, digest);
  std::error_code failed;
  std::filesystem::rename(made, folder, failed);
  if (failed) return base::os_error(failed.value(), "rename " + made.string());
  image.tree = folder / "rootfs";
  return image;
}

// The file holds passwords: what others can read is not taken.
base::Result<void> check_credentials(const std::filesystem::path& file) {
  struct stat info = {};
  if (::stat(file.c_str(), &info) != 0) return base::os_error(errno, "open " + file.string());
  if (info.st_uid == geteuid() && (info.st_mode & 077) == 0) return {};
  return base::Error{base::Code::failed_precondition,
                     "others can read " + file.string() + ", which holds passwords",
                     "credentials_exposed"};
}

base::Result<void> copy_from_registry(const FetchInput& input, const std::string& path,
                                      const std::string& target) {
  const ImageLimits& config = input.config.images;
  std::vector<std::string> argv{input.config.skopeo, "copy", "--dest-shared-blob-dir", input.blobs};
  if (config.credentials_file.empty()) {
    // Otherwise skopeo would take what it finds in a home directory.
    argv.push_back("--src-no-creds");
  } else {
    TRY(check_credentials(config.credentials_file));
    argv.insert(argv.end(), {"--src-authfile", config.credentials_file});
  }
  const auto& plain = config.plain_registries;
  if (std::find(plain.begin(), plain.end(), registry_of(path)) != plain.end()) {
    argv.push_back("--src-tls-verify=false");
  }
  argv.insert(argv.end(), {input.reference, target});
  TRY(sys::make_folder(input.blobs, 0700));
  TRY(run_tool(input, std::move(argv), "image_pull_failed"));
  return {};
}

base::Result<void> copy_image(const FetchInput& input, const std::filesystem::path& layout) {
  const std::string target = "oci:" + layout.string() + ":" + std::string(kTag);
  const ImageReference reference = parse_reference(input.reference);
  if (reference.kind == ImageReference::Kind::registry) {
    TRY(copy_from_registry(input, reference.path, target));
    return BlobCache(input.blobs).complete(layout);
  }
  TRY(run_tool(input, {input.config.skopeo, "copy", input.reference, target}, "image_pull_failed"));
  return {};
}

}  // namespace

base::Result<Image> fetch_image(const FetchInput& input) {
  const Staging staging(input.staging);
  TRY(sys::make_folder(input.staging, 0700));
  const std::filesystem::path layout = input.staging / "layout";
  input.progress("fetching the image");
  TRY(copy_image(input, layout));
  const std::string index = TRY(base::read_file(layout / "index.json", kBlobMax));
  const std::string digest = TRY(find_manifest(index, kTag));
  const std::vector<std::string> digests = TRY(digests_in(layout, digest));
  const BlobCache cache(input.blobs);
  cache.touch(digests);
  auto existing = load_image(folder_of(input.trees, digest));
  if (!existing) {
    auto image = unpack(input, layout, digests);
    if (!image && image.error().reason == "image_invalid") cache.forget(digests);
    return image;
  }
  auto& references = existing->references;
  if (std::find(references.begin(), references.end(), input.reference) == references.end()) {
    references.push_back(input.reference);
    TRY(save_image(*existing));
  }
  return existing;
}

base::Result<void> save_image(const Image& image) {
  const Json json{{"digest", image.digest},
                  {"references", image.references},
                  {"size_bytes", image.size_bytes},
                  {"pulled_at", image.pulled_at},
                  {"entrypoint", image.config.entrypoint},
                  {"command", image.config.command},
                  {"environment", image.config.environment},
                  {"user", image.config.user},
                  {"working_folder", image.config.working_folder},
                  {"stop_signal", image.config.stop_signal}};
  return sys::write_file_durably(image.tree.parent_path() / "image.json", base::dump_json(json),
                                 0600);
}

base::Result<Image> load_image(const std::filesystem::path& folder) {
  const std::string text = TRY(base::read_file(folder / "image.json", kBlobMax));
  const Json json = TRY(base::parse_json(text, {.bytes_max = kBlobMax}));
  Image out;
  const base::TextLimits any{.length_max = 128 << 10};
  base::Fields fields(json);
  fields.required("digest", out.digest, {.length_max = 71});
  fields.optional("references", out.references, 1000, any);
  fields.optional("size_bytes", out.size_bytes);
  fields.optional("pulled_at", out.pulled_at);
  fields.optional("entrypoint", out.config.entrypoint, 1000, any);
  fields.optional("command", out.config.command, 1000, any);
  fields.optional("environment", out.config.environment, 1000, any);
  fields.optional("user", out.config.user);
  fields.optional("working_folder", out.config.working_folder);
  std::int64_t stop_signal = 15;
  fields.optional("stop_signal", stop_signal, {.min = 1, .max = 64});
  if (auto done = fields.finish(base::UnknownFields::ignore); !done) {
    return base::Error{base::Code::corrupt, base::to_string(done.error()), "image_invalid"};
  }
  out.config.stop_signal = static_cast<int>(stop_signal);
  out.tree = folder / "rootfs";
  return out;
}

}  // namespace node::agent
