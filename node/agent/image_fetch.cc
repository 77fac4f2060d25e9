// SPDX-License-Identifier: Apache-2.0
#include "node/agent/image_fetch.h"

#include <nlohmann/json.hpp>

#include "common/base/clock.h"
#include "common/base/config.h"
#include "common/base/text.h"
#include "common/sys/files.h"
#include "common/sys/process.h"
#include "common/sys/tls.h"

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
  sys::Command command{.argv = std::move(argv), .environment = {{"HOME", "/root"}}};
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

base::Result<ImageConfig> read_config_of(const std::filesystem::path& layout,
                                         const std::string& manifest_digest) {
  const std::string manifest_text = TRY(read_blob(layout, manifest_digest));
  const Json manifest = TRY(base::parse_json(manifest_text, {.bytes_max = kBlobMax}));
  const Json::json_pointer place("/config/digest");
  const bool good = manifest.is_object() && manifest.contains(place) &&
                    manifest[place].is_string() &&
                    manifest[place].get_ref<const std::string&>().size() == 71 &&
                    manifest[place].get_ref<const std::string&>().starts_with("sha256:");
  if (!good) {
    return base::Error{base::Code::corrupt, "the manifest names no configuration", "image_invalid"};
  }
  const std::string config_text = TRY(read_blob(layout, manifest[place].get<std::string>()));
  return read_image_config(config_text);
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
                           const std::string& digest) {
  Image image;
  image.digest = digest;
  image.config = TRY(read_config_of(layout, digest));
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

}  // namespace

base::Result<Image> fetch_image(const FetchInput& input) {
  const Staging staging(input.staging);
  TRY(sys::make_folder(input.staging, 0700));
  const std::filesystem::path layout = input.staging / "layout";
  input.progress("fetching the image");
  TRY(run_tool(input,
               {input.config.skopeo, "copy", input.reference,
                "oci:" + layout.string() + ":" + std::string(kTag)},
               "image_pull_failed"));
  const std::string index = TRY(base::read_file(layout / "index.json", kBlobMax));
  const std::string digest = TRY(find_manifest(index, kTag));
  auto existing = load_image(folder_of(input.trees, digest));
  if (!existing) return unpack(input, layout, digest);
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
