// SPDX-License-Identifier: Apache-2.0
// The built-in resource types as one table, and its reader.
#include <nlohmann/json.hpp>

#include "common/base/text.h"
#include "services/meta/catalogue.h"

namespace services::meta {

using base::Json;

namespace {

// Short names within this table for "Gestalt::Resource::" (R.) and "Gestalt::Configuration::" (C.).
//
// properties: NAME[!][*]:DATA_TYPE[=DEFAULT][>REFERS_TO[/ON_DELETE]][^]
//   ! required, * encrypted, ^ set by meta only; words apart by blanks. "..." takes anything else.
struct Builtin {
  std::string_view id;  // empty: derived from the name
  std::string_view name;
  std::string_view extends;
  std::string_view rest_name;
  std::string_view prefix;
  std::string_view verbs;  // beside create, view, update, delete
  std::string_view parents;
  std::string_view properties;
};

constexpr std::string_view kWidely = "R.Organization R.Workspace R.Environment";

constexpr Builtin kBuiltin[] = {
    {"", "R.Resource", "", "", "", "", "", "parent:resource::uuid::link^"},
    {"23ba3299-b04e-4c5c-9b3d-64939b22944e", "R.Organization", "R.Resource", "orgs", "org", "",
     "R.Organization",
     "fqon:string^ env:json config:json ledger:resource::uuid::link security_apps:json"},
    {"58b6775d-37a5-44bc-9115-7331fc4964b7", "R.User", "R.Resource", "users", "user", "",
     "R.Organization",
     "username:string firstName:string lastName:string email:string phoneNumber:string "
     "password*:string gestalt_home:string directory:json groups:json^"},
    {"b9e3c356-b6d8-4561-a20a-398b5cd8d62d", "R.UserProfile", "R.Resource", "userprofiles",
     "userprofile", "", "R.User", "resource_favorites:json avatar:string home:string ..."},
    {"", "R.Group", "R.Resource", "groups", "group", "", "R.Organization",
     "users:json^ directory:json"},
    {"fa17bae4-1294-42cc-93cc-c4ead7dc0343", "R.Workspace", "R.Resource", "workspaces", "workspace",
     "", "R.Organization", "env:json config:json workspace:resource::uuid::link^"},
    {"46b28076-9d94-4860-9aca-e8483a56d32c", "R.Environment", "R.Resource", "environments",
     "environment", "", "R.Workspace",
     "environment_type!:string env:json config:json workspace:resource::uuid::link^ "
     "security_app:resource::uuid::link ledger:resource::uuid::link"},
    {"", "R.Container", "R.Resource", "containers", "container",
     "scale migrate promote import start stop restart", "R.Environment",
     "container_type:string=\"DOCKER\" image:string provider!:json num_instances:int=1 "
     "cpus:float=0.1 memory:int=128 disk:int=0 network:string=\"\" cmd:string args:string::list "
     "env:json={} config:json labels:json={} constraints:string::list "
     "accepted_resource_roles:string::list force_pull:boolean=false user:string "
     "port_mappings:json=[] health_checks:json=[] volumes:json=[] secrets:json=[] "
     "gpu_support:json status:string^ age:datetime^ external_id:string^ instances:json^ "
     "service_addresses:json^ tasks_running:int^ tasks_healthy:int^ tasks_staged:int^ "
     "tasks_unhealthy:int^ status_message:string^ apiendpoints:json^ events:json^"},
    {"c8ce1302-6f66-4300-8429-2574abf28d81", "R.Job", "R.Resource", "jobs", "job", "start stop",
     "R.Environment", "image:string provider:json cmd:string schedule:string ..."},
    {"24361db7-0fc0-4be5-9973-d88d5602956f", "R.Volume", "R.Resource", "volumes", "volume",
     "import", "R.Environment R.Container",
     "type:string provider:json size:int access_mode:string config:json mount_path:string "
     "container:resource::uuid::link>R.Container/nullify external_id:string "
     "reclamation_policy:string"},
    {"45bc59bf-e6b7-4537-b685-a7aa32f56ddd", "R.DataContainer", "R.Resource", "datacontainers",
     "datacontainer", "", "R.Environment", "..."},
    {"", "R.Secret", "R.Resource", "secrets", "secret", "import", "R.Environment",
     "provider:json items*:json external_id:string^"},
    {"", "R.Node", "R.Resource", "nodes", "node", "", "R.Cluster R.Environment",
     "location:string fqdn:string ip:string ports:json node_type:string env:json config:json "
     "provider:json machine_spec:json"},
    {"e3a463fc-e51f-4166-8cec-3d9a54f7babd", "R.Node::Lambda", "R.Resource", "lambdas", "lambda",
     "invoke migrate import", kWidely,
     "env:json={} config:json code_type:string code:string public:boolean=false "
     "provider:json provider_def:json cpus:float=0.1 memory:int=512 timeout:int=30 handler:string "
     "runtime:string package_url:string compressed:boolean=false synchronous:boolean "
     "periodic_info:json headers:json isolate:boolean pre_warm:int secrets:json gpu_support:json "
     "apiendpoints:json^ external_id:string^"},
    {"df4bf8b5-170f-453e-9526-c37c898d96c9", "R.Api", "R.Resource", "apis", "api", "",
     "R.Environment", "provider:json"},
    {"", "R.ApiEndpoint", "R.Resource", "apiendpoints", "apiendpoint", "",
     "R.Api R.Node::Lambda R.Workspace R.Environment",
     "resource:string upstream_url:string location_id:string implementation_type:string "
     "implementation_id:uuid container_port_name:string methods:json plugins:json hosts:json "
     "synchronous:boolean=true whitelist:json public_url:string^ provider:json"},
    {"c3c05a39-acb3-4a45-97a8-5696ad1b4214", "R.Policy", "R.Resource", "policies", "policy", "",
     kWidely, "rules:json^"},
    {"51af837d-544d-4c60-be66-984a6f2f658a", "R.Rule", "R.Resource", "rules", "rule", "",
     "R.Policy",
     "parent_policy:json^ defined_at:json^ eval_logic:json filter:json match_actions:json "
     "actions:json strict:boolean priority:int mode:string fail:string overridable:boolean"},
    {"", "R.Rule::Event", "R.Rule", "", "", "", "", "lambda:resource::uuid::link>R.Node::Lambda"},
    {"", "R.Rule::Limit", "R.Rule", "", "", "", "", ""},
    {"", "R.Rule::Config", "R.Rule", "", "", "", "", ""},
    {"", "R.Entitlement", "R.Resource", "entitlements", "entitlement", "",
     "R.Organization R.Workspace R.Environment R.Node::Lambda R.Container R.Api",
     "action!:string identities:json value:string"},
    {"57a02f53-abbe-4e85-9857-de34a9aee411", "R.Task", "R.Resource", "tasks", "task", "", kWidely,
     "message:string ..."},
    {"", "R.License", "R.Resource", "licenses", "license", "", "R.Organization",
     "data*:string ..."},
    {"", "R.Domain", "R.Resource", "domains", "domain", "", kWidely, "..."},
    {"", "R.AppDeployment", "R.Resource", "appdeployments", "appdeployment", "", "R.Environment",
     "..."},
    {"e9e90e0a-4f87-492e-afcc-2cd84057f226", "R.Spec::StreamSpec", "R.Resource", "streamspecs",
     "streamspec", "start stop restart viewstatus", "R.Environment",
     "cpus:float mem:float parallelization:int processor:json persistence:json "
     "lambda_provider:resource::uuid::link provider:json name:string ..."},
    {"8f875ffc-69ff-48c8-9d6d-f3622b7b1062", "R.Configuration::DataFeed", "R.Resource", "datafeeds",
     "datafeed", "", "R.Environment", "kind:string provider:json data:json ..."},
    // Configuration
    {"", "C.Provider", "R.Resource", "providers", "provider", "redeploy", kWidely,
     "config:json={} linked_providers:json=[] services:json locations:json environments:json "
     "environment_types:json actions:json endpoints:json ..."},
    {"", "C.Provider::Security", "C.Provider", "", "", "", "", ""},
    {"", "C.Provider::Core", "C.Provider", "", "", "", "", ""},
    {"", "C.Provider::Lambda", "C.Provider", "", "", "", "", ""},
    {"", "C.Provider::Lambda::AWS", "C.Provider::Lambda", "", "", "", "", ""},
    {"", "C.Provider::Lambda::Executor", "C.Provider", "", "", "", "", ""},
    {"", "C.Provider::Messaging::RabbitMQ", "C.Provider", "", "", "", "", ""},
    {"", "C.Provider::Data::PostgreSQL", "C.Provider", "", "", "", "", ""},
    {"", "C.Provider::GatewayManager", "C.Provider", "", "", "", "", ""},
    {"", "C.Provider::Kong", "C.Provider", "", "", "", "", ""},
    {"", "C.Provider::Logging", "C.Provider", "", "", "", "", ""},
    {"", "C.Provider::Policy", "C.Provider", "", "", "", "", ""},
    {"", "C.Provider::CaaS", "C.Provider", "", "", "", "", ""},
    {"", "C.Provider::CaaS::DCOS", "C.Provider::CaaS", "", "", "", "", ""},
    {"", "C.Provider::CaaS::Kubernetes", "C.Provider::CaaS", "", "", "", "", ""},
    {"", "C.Provider::CaaS::Docker", "C.Provider::CaaS", "", "", "", "", ""},
    {"", "C.Provider::CaaS::ECS", "C.Provider::CaaS", "", "", "", "", ""},
    {"", "C.Provider::StreamProvider", "C.Provider", "", "", "", "", ""},
    {"", "C.Provider::Catalog", "C.Provider", "", "", "", "", ""},
    {"", "C.Provider::Git", "C.Provider", "", "", "", "", ""},
    // The nouns of 2015
    {"", "R.Application", "R.Resource", "applications", "application", "", kWidely,
     "version:string services:resource::uuid::link::list>R.Service/nullify "
     "depends_on:resource::uuid::link::list>R.Service env:json config:json"},
    {"", "R.Service", "R.Resource", "services", "service", "", kWidely,
     "service_type:string version:string bundle:string bundle_type:string env:json config:json "
     "application:resource::uuid::link>R.Application/nullify"},
    {"", "R.DeploymentBlueprint", "R.Resource", "blueprints", "blueprint", "deploy", kWidely,
     "application:resource::uuid::link>R.Application description:string"},
    {"", "R.ClusterTemplate", "R.Resource", "clustertemplates", "clustertemplate", "",
     "R.DeploymentBlueprint R.ClusterTemplate", ""},
    {"", "R.NodeTemplate", "R.Resource", "nodetemplates", "nodetemplate", "", "R.ClusterTemplate",
     "service:resource::uuid::link>R.Service num_instances:int=1 use_proxy:boolean=false "
     "proxy_address:string machine_spec:json"},
    {"", "R.Deployment", "R.Resource", "deployments", "deployment", "", "R.Environment",
     "blueprint:resource::uuid::link>R.DeploymentBlueprint/nullify location:string ..."},
    {"", "R.Cluster", "R.Resource", "clusters", "cluster", "", "R.Environment R.Cluster",
     "location:string env:json config:json provider:json "
     "deployment:resource::uuid::link>R.Deployment/nullify"},
    {"", "R.Person", "R.Resource", "people", "person", "", "R.Organization",
     "title:string email:string phone:string user:resource::uuid::link>R.User/nullify"},
    {"", "R.Asset", "R.Resource", "assets", "asset", "", kWidely,
     "asset_type:string serial:string owner_person:resource::uuid::link>R.Person/nullify ..."},
    {"", "R.Event", "R.Resource", "events", "event", "", kWidely,
     "severity:string occurred:datetime message:string ..."},
    {"", "R.Location", "R.Resource", "locations", "location", "", "R.Organization",
     "code:string address:json"},
    {"", "R.LogFile", "R.Resource", "logfiles", "logfile", "", "R.Node", "path!:string"},
    {"", "R.ResourceType", "R.Resource", "resourcetypes", "resourcetype", "", "R.Organization",
     "..."},
};

std::string whole_name(std::string_view name) {
  if (name.starts_with("R.")) return "Gestalt::Resource::" + std::string(name.substr(2));
  if (name.starts_with("C.")) return "Gestalt::Configuration::" + std::string(name.substr(2));
  return std::string(name);
}

// Takes `separator` and what stands behind it off `text`.
std::string_view cut(std::string_view& text, char separator) {
  const std::size_t at = text.rfind(separator);
  if (at == std::string_view::npos) return {};
  const std::string_view behind = text.substr(at + 1);
  text = text.substr(0, at);
  return behind;
}

PropertyDef read_word(std::string_view text) {
  PropertyDef property;
  if (text.ends_with('^')) {
    property.system = true;
    text.remove_suffix(1);
  }
  std::string_view refers_to = cut(text, '>');
  const std::string_view on_delete = cut(refers_to, '/');
  if (on_delete == "nullify") property.on_delete = OnDelete::nullify;
  if (on_delete == "cascade") property.on_delete = OnDelete::cascade;
  property.refers_to = whole_name(refers_to);
  const std::string_view value = cut(text, '=');
  if (!value.empty()) {
    auto read = base::parse_json(value);
    CHECK_THAT(read.has_value());
    property.default_value = *std::move(read);
  }
  std::string_view name = text.substr(0, text.find(':'));
  CHECK_THAT(read_data_type(text.substr(name.size() + 1), property).has_value());
  if (name.ends_with('*')) {
    property.encrypted = true;
    name.remove_suffix(1);
  }
  if (name.ends_with('!')) {
    property.requirement = Requirement::required;
    name.remove_suffix(1);
  }
  property.name = std::string(name);
  return property;
}

std::vector<std::string> words(std::string_view text) {
  std::vector<std::string> found;
  for (const std::string_view word : base::split(text, ' ')) {
    if (!word.empty()) found.emplace_back(word);
  }
  return found;
}

ResourceType read_row(const Builtin& row) {
  ResourceType type;
  type.name = whole_name(row.name);
  type.id = row.id.empty() ? derived_id(type.name) : std::string(row.id);
  type.extends = whole_name(row.extends);
  type.rest_name = std::string(row.rest_name);
  type.prefix = std::string(row.prefix);
  type.system = true;
  if (!row.prefix.empty()) type.verbs = {"create", "view", "update", "delete"};
  for (std::string& verb : words(row.verbs)) type.verbs.push_back(std::move(verb));
  for (const std::string& parent : words(row.parents)) type.parents.push_back(whole_name(parent));
  for (const std::string& word : words(row.properties)) {
    if (word == "...") {
      type.open = true;
      continue;
    }
    PropertyDef property = read_word(word);
    type.properties.emplace(property.name, property);
  }
  type.is_abstract = row.name == "R.Resource" || row.name == "R.Rule";
  type.provider_backed = type.properties.contains("provider");
  return type;
}

}  // namespace

std::vector<ResourceType> builtin_types() {
  std::vector<ResourceType> types;
  for (const Builtin& row : kBuiltin) types.push_back(read_row(row));
  return types;
}

}  // namespace services::meta
