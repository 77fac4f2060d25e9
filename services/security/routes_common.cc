// SPDX-License-Identifier: Apache-2.0
#include "services/framework/host.h"
#include "services/security/model/names.h"
#include "services/security/routes.h"
#include "services/security/token/password.h"

namespace security {

using services::Call;
using services::Reply;
using services::Target;

base::Result<Target> target_of_org(store::Reader& reader, std::string_view org) {
  const OrgRecord record = TRY(need_org(reader, org));
  Target target;
  target.org = {record.id, record.fqon};
  return target;
}

base::Result<Target> resolve_app(Security&, Call& call) {
  const AppRecord app = TRY(need_app(call.read(), call.parameter("app")));
  return target_of_org(call.read(), app.org);
}

base::Result<Target> resolve_account(Security&, Call& call) {
  const std::string org = TRY(org_of_account(call.read(), call.parameter("account")));
  return target_of_org(call.read(), org);
}

base::Result<Target> resolve_group(Security&, Call& call) {
  const std::string org = TRY(org_of_group(call.read(), call.parameter("group")));
  return target_of_org(call.read(), org);
}

base::Result<Target> resolve_directory(Security&, Call& call) {
  const DirectoryRecord directory = TRY(need_directory(call.read(), call.parameter("directory")));
  return target_of_org(call.read(), directory.org);
}

// The organisation of the credential, for paths that name none.
base::Result<Target> resolve_own_org(Security&, Call& call) {
  if (call.caller().org_id.empty()) {
    const OrgRecord root = TRY(root_org(call.read()));
    return target_of_org(call.read(), root.id);
  }
  return target_of_org(call.read(), call.caller().org_id);
}

base::Result<AppRecord> app_of(Call& call) {
  const auto at = call.request().path_parameters.find("app");
  if (at != call.request().path_parameters.end()) return need_app(call.read(), at->second);
  return service_app(call.read(), call.org().id);
}

Reply ok(const base::Json& value) { return Reply::json(value); }

Reply created(const base::Json& value, std::string_view collection) {
  const auto id = value.find("id");
  const std::string href = id != value.end() && id->is_string()
                               ? "/" + std::string(collection) + "/" + id->get<std::string>()
                               : "/" + std::string(collection);
  return Reply::created(href, value);
}

Reply was_deleted(bool deleted) { return Reply::json({{"wasDeleted", deleted}}); }

base::Result<NewRight> read_right(const base::Json& json, const std::string& pointer) {
  NewRight out;
  base::Fields fields(json, pointer);
  fields.required("grantName", out.name, {.length_min = 1, .length_max = 512});
  if (const base::Json* value = fields.find("grantValue")) {
    if (!value->is_string() || value->get_ref<const std::string&>().size() > 4096) {
      fields.reject("grantValue", "a grant's value is text of at most 4096 bytes");
    } else {
      out.value = value->get<std::string>();
    }
  }
  TRY(fields.finish(base::UnknownFields::ignore));
  TRY(check_grant_name(out.name));
  return out;
}

base::Result<NewAccount> read_account(const base::Json& body) {
  NewAccount out;
  std::string description, email, phone;
  base::Fields fields(body);
  fields.required("username", out.record.username, {.length_min = 1, .length_max = kNameMax});
  fields.optional("firstName", out.record.first_name, {.length_max = kNameMax});
  fields.optional("lastName", out.record.last_name, {.length_max = kNameMax});
  fields.optional("description", description, {.length_max = 1024});
  fields.optional("email", email, {.length_max = 256});
  fields.optional("phoneNumber", phone, {.length_max = 64});
  fields.optional("groups", out.groups, 100, {.length_max = 64});
  if (const base::Json* rights = fields.find_array("rights", 100)) {
    for (std::size_t i = 0; i < rights->size() && !fields.failed(); ++i) {
      auto right = read_right((*rights)[i], "/rights/" + std::to_string(i));
      if (right) {
        out.rights.push_back(*std::move(right));
      } else {
        fields.reject(right.error());
      }
    }
  }
  TRY(fields.finish(base::UnknownFields::ignore));
  if (!description.empty()) out.record.description = description;
  if (!email.empty()) out.record.email = email;
  if (!phone.empty()) out.record.phone = phone;
  return out;
}

base::Result<std::optional<base::Secret>> read_password(const base::Json& body) {
  const auto credential = body.is_object() ? body.find("credential") : body.end();
  if (!body.is_object() || credential == body.end() || credential->is_null()) {
    return std::optional<base::Secret>();
  }
  std::string type, password;
  base::Fields fields(*credential, "/credential");
  fields.required("credentialType", type, {.length_max = 64});
  fields.required("password", password, {.length_max = kPasswordMax});
  base::Result<void> read = fields.finish(base::UnknownFields::ignore);
  base::Secret secret(std::move(password));
  TRY(std::move(read));
  if (type != "GestaltPasswordCredential") {
    return base::Error{base::Code::invalid_argument, "unknown credential type",
                       "credential_invalid"};
  }
  TRY(check_password(secret.reveal()));
  return std::optional<base::Secret>(std::move(secret));
}

base::Result<void> prepare_password(Security& self, Call& call) {
  const std::optional<base::Secret> password = TRY(read_password(call.body()));
  if (password) call.keep(TRY(self.hash_new_password(password->reveal())));
  return {};
}

}  // namespace security
