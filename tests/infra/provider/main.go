// A provider for tests alone: it has the schema of the AWS provider and keeps what it is given.
//
// Terraform itself checks the configuration against the schema, evaluates it, orders it and keeps
// the state. What the provider adds is what AWS would answer: names, identifiers and ARNs, and the
// documents of policies. It reaches no account and proves nothing about AWS's own limits.
package main

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"log"
	"math/big"
	"os"
	"sort"
	"strings"

	"github.com/hashicorp/terraform-plugin-go/tfprotov5"
	"github.com/hashicorp/terraform-plugin-go/tfprotov5/tf5server"
	"github.com/hashicorp/terraform-plugin-go/tftypes"
)

type attribute struct {
	Type     json.RawMessage `json:"type"`
	Computed bool            `json:"computed"`
	Optional bool            `json:"optional"`
	Required bool            `json:"required"`
}

type block struct {
	Attributes map[string]attribute `json:"attributes"`
	Blocks     map[string]nested    `json:"blocks"`
}

type nested struct {
	Nesting string `json:"nesting"`
	Min     int64  `json:"min"`
	Max     int64  `json:"max"`
	Block   block  `json:"block"`
}

type schemas struct {
	Provider  block            `json:"provider"`
	Resources map[string]block `json:"resources"`
	Data      map[string]block `json:"data"`
}

func (b block) schema() *tfprotov5.SchemaBlock {
	out := &tfprotov5.SchemaBlock{}
	for _, name := range sortedKeys(b.Attributes) {
		a := b.Attributes[name]
		kind, err := tftypes.ParseJSONType(a.Type)
		if err != nil {
			log.Fatalf("%s: %v", name, err)
		}
		out.Attributes = append(out.Attributes, &tfprotov5.SchemaAttribute{
			Name: name, Type: kind, Required: a.Required, Optional: a.Optional, Computed: a.Computed,
			WriteOnly: strings.HasSuffix(name, "_wo"),
		})
	}
	nestings := map[string]tfprotov5.SchemaNestedBlockNestingMode{
		"list":   tfprotov5.SchemaNestedBlockNestingModeList,
		"set":    tfprotov5.SchemaNestedBlockNestingModeSet,
		"single": tfprotov5.SchemaNestedBlockNestingModeSingle,
	}
	for _, name := range sortedKeys(b.Blocks) {
		n := b.Blocks[name]
		mode, ok := nestings[n.Nesting]
		if !ok {
			log.Fatalf("block %s: nesting %s", name, n.Nesting)
		}
		out.BlockTypes = append(out.BlockTypes, &tfprotov5.SchemaNestedBlock{
			TypeName: name, Block: n.Block.schema(), Nesting: mode, MinItems: n.Min, MaxItems: n.Max,
		})
	}
	return out
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for key := range m {
		keys = append(keys, key)
	}
	sort.Strings(keys)
	return keys
}

type server struct {
	tfprotov5.ProviderServer // what Terraform 1.11 does not call for these resources
	schemas                  schemas
	types                    map[string]*tfprotov5.Schema
	dataTypes                map[string]*tfprotov5.Schema
	provider                 *tfprotov5.Schema
	region                   string
	tags                     map[string]tftypes.Value
}

var account = func() string {
	if given := os.Getenv("TEST_PROVIDER_ACCOUNT"); given != "" {
		return given
	}
	return "111122223333"
}()

func newServer(path string) *server {
	text, err := os.ReadFile(path)
	if err != nil {
		log.Fatal(err)
	}
	s := &server{types: map[string]*tfprotov5.Schema{}, dataTypes: map[string]*tfprotov5.Schema{}}
	if err := json.Unmarshal(text, &s.schemas); err != nil {
		log.Fatal(err)
	}
	s.provider = &tfprotov5.Schema{Block: s.schemas.Provider.schema()}
	for name, b := range s.schemas.Resources {
		s.types[name] = &tfprotov5.Schema{Block: b.schema()}
	}
	for name, b := range s.schemas.Data {
		s.dataTypes[name] = &tfprotov5.Schema{Block: b.schema()}
	}
	return s
}

func (s *server) GetMetadata(context.Context, *tfprotov5.GetMetadataRequest) (*tfprotov5.GetMetadataResponse, error) {
	out := &tfprotov5.GetMetadataResponse{ServerCapabilities: &tfprotov5.ServerCapabilities{}}
	for _, name := range sortedKeys(s.types) {
		out.Resources = append(out.Resources, tfprotov5.ResourceMetadata{TypeName: name})
	}
	for _, name := range sortedKeys(s.dataTypes) {
		out.DataSources = append(out.DataSources, tfprotov5.DataSourceMetadata{TypeName: name})
	}
	return out, nil
}

func (s *server) GetProviderSchema(context.Context, *tfprotov5.GetProviderSchemaRequest) (*tfprotov5.GetProviderSchemaResponse, error) {
	return &tfprotov5.GetProviderSchemaResponse{
		Provider: s.provider, ResourceSchemas: s.types, DataSourceSchemas: s.dataTypes,
		EphemeralResourceSchemas: map[string]*tfprotov5.Schema{"aws_secretsmanager_random_password": randomPassword},
		ServerCapabilities:       &tfprotov5.ServerCapabilities{},
	}, nil
}

// The bindings have no ephemeral resources; this is the one that is used.
var randomPassword = &tfprotov5.Schema{Block: &tfprotov5.SchemaBlock{Attributes: []*tfprotov5.SchemaAttribute{
	{Name: "password_length", Type: tftypes.Number, Optional: true},
	{Name: "exclude_punctuation", Type: tftypes.Bool, Optional: true},
	{Name: "random_password", Type: tftypes.String, Computed: true},
}}}

func (s *server) ValidateEphemeralResourceConfig(context.Context, *tfprotov5.ValidateEphemeralResourceConfigRequest) (*tfprotov5.ValidateEphemeralResourceConfigResponse, error) {
	return &tfprotov5.ValidateEphemeralResourceConfigResponse{}, nil
}

func (s *server) OpenEphemeralResource(_ context.Context, r *tfprotov5.OpenEphemeralResourceRequest) (*tfprotov5.OpenEphemeralResourceResponse, error) {
	values, err := fields(r.Config, randomPassword)
	if err != nil {
		return nil, err
	}
	var bytes [24]byte
	if _, err := rand.Read(bytes[:]); err != nil {
		return nil, err
	}
	values["random_password"] = tftypes.NewValue(tftypes.String, hex.EncodeToString(bytes[:]))
	result, err := state(randomPassword, values)
	return &tfprotov5.OpenEphemeralResourceResponse{Result: result}, err
}

func (s *server) CloseEphemeralResource(context.Context, *tfprotov5.CloseEphemeralResourceRequest) (*tfprotov5.CloseEphemeralResourceResponse, error) {
	return &tfprotov5.CloseEphemeralResourceResponse{}, nil
}

func (s *server) PrepareProviderConfig(_ context.Context, r *tfprotov5.PrepareProviderConfigRequest) (*tfprotov5.PrepareProviderConfigResponse, error) {
	return &tfprotov5.PrepareProviderConfigResponse{PreparedConfig: r.Config}, nil
}

func (s *server) ConfigureProvider(_ context.Context, r *tfprotov5.ConfigureProviderRequest) (*tfprotov5.ConfigureProviderResponse, error) {
	out := &tfprotov5.ConfigureProviderResponse{}
	config, err := fields(r.Config, s.provider)
	if err != nil {
		return nil, err
	}
	s.region = text(config["region"])
	if s.region == "" {
		out.Diagnostics = problem("the provider has no region", "")
	}
	s.tags = map[string]tftypes.Value{}
	for _, given := range elements(config["default_tags"]) {
		var inner map[string]tftypes.Value
		if err := given.As(&inner); err != nil {
			return nil, err
		}
		for key, value := range entries(inner["tags"]) {
			s.tags[key] = value
		}
	}
	return out, nil
}

func (s *server) StopProvider(context.Context, *tfprotov5.StopProviderRequest) (*tfprotov5.StopProviderResponse, error) {
	return &tfprotov5.StopProviderResponse{}, nil
}

// Attributes that hold a JSON document.
var documents = map[string]bool{
	"policy": true, "assume_role_policy": true, "definition": true, "container_definitions": true,
	"event_pattern": true,
}

func (s *server) ValidateResourceTypeConfig(_ context.Context, r *tfprotov5.ValidateResourceTypeConfigRequest) (*tfprotov5.ValidateResourceTypeConfigResponse, error) {
	out := &tfprotov5.ValidateResourceTypeConfigResponse{}
	config, err := fields(r.Config, s.types[r.TypeName])
	if err != nil {
		return nil, err
	}
	for name, value := range config {
		if documents[name] && value.IsFullyKnown() && !value.IsNull() && !json.Valid([]byte(text(value))) {
			out.Diagnostics = append(out.Diagnostics, problem(name+" is no JSON document", text(value))...)
		}
	}
	return out, nil
}

func (s *server) ValidateDataSourceConfig(context.Context, *tfprotov5.ValidateDataSourceConfigRequest) (*tfprotov5.ValidateDataSourceConfigResponse, error) {
	return &tfprotov5.ValidateDataSourceConfigResponse{}, nil
}

func (s *server) UpgradeResourceState(_ context.Context, r *tfprotov5.UpgradeResourceStateRequest) (*tfprotov5.UpgradeResourceStateResponse, error) {
	kind := s.types[r.TypeName].ValueType()
	value, err := r.RawState.Unmarshal(kind)
	if err != nil {
		return nil, err
	}
	state, err := tfprotov5.NewDynamicValue(kind, value)
	return &tfprotov5.UpgradeResourceStateResponse{UpgradedState: &state}, err
}

func (s *server) ReadResource(_ context.Context, r *tfprotov5.ReadResourceRequest) (*tfprotov5.ReadResourceResponse, error) {
	return &tfprotov5.ReadResourceResponse{NewState: r.CurrentState, Private: r.Private}, nil
}

func (s *server) PlanResourceChange(_ context.Context, r *tfprotov5.PlanResourceChangeRequest) (*tfprotov5.PlanResourceChangeResponse, error) {
	out := &tfprotov5.PlanResourceChangeResponse{PlannedState: r.ProposedNewState}
	schema := s.types[r.TypeName]
	values, err := fields(r.ProposedNewState, schema)
	if err != nil || values == nil {
		return out, err // a destruction has nothing to plan
	}
	for _, a := range schema.Block.Attributes {
		if a.WriteOnly {
			values[a.Name] = tftypes.NewValue(a.Type, nil)
		} else if a.Name == "tags_all" {
			values[a.Name] = s.allTags(values["tags"])
		} else if a.Computed && values[a.Name].IsKnown() && values[a.Name].IsNull() {
			values[a.Name] = tftypes.NewValue(a.Type, tftypes.UnknownValue)
		}
	}
	out.PlannedState, err = state(schema, values)
	return out, err
}

func (s *server) ApplyResourceChange(_ context.Context, r *tfprotov5.ApplyResourceChangeRequest) (*tfprotov5.ApplyResourceChangeResponse, error) {
	out := &tfprotov5.ApplyResourceChangeResponse{NewState: r.PlannedState}
	schema := s.types[r.TypeName]
	values, err := fields(r.PlannedState, schema)
	if err == nil && values == nil {
		out.Diagnostics, err = s.refuse(r.TypeName, r.PriorState)
	}
	if err != nil || values == nil {
		return out, err
	}
	n := naming{server: s, kind: r.TypeName, given: values}
	for _, a := range schema.Block.Attributes {
		if !values[a.Name].IsKnown() {
			values[a.Name] = n.fill(a.Name, a.Type)
		}
	}
	out.NewState, err = state(schema, values)
	return out, err
}

// refuse a destruction that AWS would refuse.
func (s *server) refuse(kind string, prior *tfprotov5.DynamicValue) ([]*tfprotov5.Diagnostic, error) {
	values, err := fields(prior, s.types[kind])
	if err != nil {
		return nil, err
	}
	for _, name := range []string{"deletion_protection", "deletion_protection_enabled", "enable_deletion_protection"} {
		var protected bool
		if value, ok := values[name]; ok && !value.IsNull() && value.As(&protected) == nil && protected {
			return problem(kind+" is protected against deletion", ""), nil
		}
	}
	return nil, nil
}

func (s *server) allTags(own tftypes.Value) tftypes.Value {
	kind := tftypes.Map{ElementType: tftypes.String}
	if !own.IsKnown() {
		return tftypes.NewValue(kind, tftypes.UnknownValue)
	}
	all := map[string]tftypes.Value{}
	for key, value := range s.tags {
		all[key] = value
	}
	for key, value := range entries(own) {
		all[key] = value
	}
	return tftypes.NewValue(kind, all)
}

func (s *server) ReadDataSource(_ context.Context, r *tfprotov5.ReadDataSourceRequest) (*tfprotov5.ReadDataSourceResponse, error) {
	schema := s.dataTypes[r.TypeName]
	values, err := fields(r.Config, schema)
	if err != nil {
		return nil, err
	}
	known := map[string]map[string]string{
		"aws_caller_identity": {"account_id": account, "arn": "arn:aws:iam::" + account + ":role/tests", "user_id": "tests", "id": account},
		"aws_partition":       {"partition": "aws", "dns_suffix": "amazonaws.com", "id": "aws", "reverse_dns_prefix": "com.amazonaws"},
		"aws_region":          {"region": s.region, "name": s.region, "id": s.region, "description": s.region, "endpoint": "ec2." + s.region + ".amazonaws.com"},
	}[r.TypeName]
	if r.TypeName == "aws_iam_policy_document" {
		document, err := policy(values)
		if err != nil {
			return &tfprotov5.ReadDataSourceResponse{Diagnostics: problem("the policy is not valid", err.Error())}, nil
		}
		sum := sha256.Sum256(document)
		known = map[string]string{"json": string(document), "minified_json": string(document), "id": hex.EncodeToString(sum[:4])}
	}
	if known == nil {
		return &tfprotov5.ReadDataSourceResponse{Diagnostics: problem("no answer is known for "+r.TypeName, "")}, nil
	}
	for name, value := range known {
		if _, there := values[name]; there {
			values[name] = tftypes.NewValue(tftypes.String, value)
		}
	}
	out, err := state(schema, values)
	return &tfprotov5.ReadDataSourceResponse{State: out}, err
}

func problem(summary, detail string) []*tfprotov5.Diagnostic {
	return []*tfprotov5.Diagnostic{{Severity: tfprotov5.DiagnosticSeverityError, Summary: summary, Detail: detail}}
}

func fields(value *tfprotov5.DynamicValue, schema *tfprotov5.Schema) (map[string]tftypes.Value, error) {
	whole, err := value.Unmarshal(schema.ValueType())
	if err != nil || whole.IsNull() {
		return nil, err
	}
	var out map[string]tftypes.Value
	return out, whole.As(&out)
}

func state(schema *tfprotov5.Schema, values map[string]tftypes.Value) (*tfprotov5.DynamicValue, error) {
	kind := schema.ValueType()
	out, err := tfprotov5.NewDynamicValue(kind, tftypes.NewValue(kind, values))
	return &out, err
}

func text(value tftypes.Value) string {
	var out string
	if value.Type() == nil || !value.IsKnown() || value.IsNull() || value.As(&out) != nil {
		return ""
	}
	return out
}

func elements(value tftypes.Value) []tftypes.Value {
	var out []tftypes.Value
	if value.Type() == nil || !value.IsKnown() || value.IsNull() || value.As(&out) != nil {
		return nil
	}
	return out
}

func entries(value tftypes.Value) map[string]tftypes.Value {
	var out map[string]tftypes.Value
	if value.Type() == nil || !value.IsKnown() || value.IsNull() || value.As(&out) != nil {
		return nil
	}
	return out
}

func strings_(value tftypes.Value) []string {
	var out []string
	for _, element := range elements(value) {
		out = append(out, text(element))
	}
	sort.Strings(out)
	return out
}

// naming makes up what AWS would.
type naming struct {
	server *server
	kind   string
	given  map[string]tftypes.Value
}

// Where the name of a resource is, and how its ARN is made of it.
var patterns = map[string]string{
	"aws_s3_bucket":                     "arn:aws:s3:::{bucket}",
	"aws_dynamodb_table":                "arn:aws:dynamodb:{region}:{account}:table/{name}",
	"aws_kms_key":                       "arn:aws:kms:{region}:{account}:key/{id}",
	"aws_ecr_repository":                "arn:aws:ecr:{region}:{account}:repository/{name}",
	"aws_iam_role":                      "arn:aws:iam::{account}:role/{name}",
	"aws_athena_workgroup":              "arn:aws:athena:{region}:{account}:workgroup/{name}",
	"aws_sns_topic":                     "arn:aws:sns:{region}:{account}:{name}",
	"aws_sqs_queue":                     "arn:aws:sqs:{region}:{account}:{name}",
	"aws_lambda_function":               "arn:aws:lambda:{region}:{account}:function:{function_name}",
	"aws_sfn_state_machine":             "arn:aws:states:{region}:{account}:stateMachine:{name}",
	"aws_cloudwatch_log_group":          "arn:aws:logs:{region}:{account}:log-group:{name}",
	"aws_cloudwatch_event_rule":         "arn:aws:events:{region}:{account}:rule/{name}",
	"aws_ecs_cluster":                   "arn:aws:ecs:{region}:{account}:cluster/{name}",
	"aws_ecs_task_definition":           "arn:aws:ecs:{region}:{account}:task-definition/{family}:1",
	"aws_sagemaker_model_package_group": "arn:aws:sagemaker:{region}:{account}:model-package-group/{model_package_group_name}",
	"aws_db_instance":                   "arn:aws:rds:{region}:{account}:db:{identifier}",
	"aws_secretsmanager_secret":         "arn:aws:secretsmanager:{region}:{account}:secret:{name}-a1b2c3",
	"aws_secretsmanager_secret_version": "{secret_id}",
	"aws_iam_openid_connect_provider":   "arn:aws:iam::{account}:oidc-provider/token.actions.githubusercontent.com",
	"aws_backup_vault":                  "arn:aws:backup:{region}:{account}:backup-vault:{name}",
}

var names = []string{"bucket", "function_name", "identifier", "family", "model_package_group_name", "name"}

func (n naming) id() string {
	for _, attribute := range names {
		if name := text(n.given[attribute]); name != "" {
			return name
		}
	}
	sum := sha256.New()
	for _, key := range sortedKeys(n.given) {
		if n.given[key].IsFullyKnown() {
			fmt.Fprintf(sum, "%s=%s;", key, n.given[key])
		}
	}
	kind := strings.TrimPrefix(n.kind, "aws_")
	return strings.ReplaceAll(kind, "_", "-") + "-" + hex.EncodeToString(sum.Sum(nil)[:6])
}

func (n naming) arn() string {
	pattern, ok := patterns[n.kind]
	if !ok {
		pattern = "arn:aws:" + strings.Split(n.kind, "_")[1] + ":{region}:{account}:" + n.kind + "/{id}"
	}
	out := strings.NewReplacer("{region}", n.server.region, "{account}", account, "{id}", n.id()).Replace(pattern)
	for attribute, value := range n.given {
		out = strings.ReplaceAll(out, "{"+attribute+"}", text(value))
	}
	return out
}

func (n naming) fill(name string, kind tftypes.Type) tftypes.Value {
	switch {
	case kind.Is(tftypes.String):
		switch name {
		case "id", "name", "key_id":
			if n.kind == "aws_secretsmanager_secret" && name == "id" {
				return tftypes.NewValue(kind, n.arn())
			}
			return tftypes.NewValue(kind, n.id())
		case "arn":
			return tftypes.NewValue(kind, n.arn())
		case "qualified_arn":
			return tftypes.NewValue(kind, n.arn()+":1")
		case "region":
			return tftypes.NewValue(kind, n.server.region)
		case "repository_url":
			return tftypes.NewValue(kind, account+".dkr.ecr."+n.server.region+".amazonaws.com/"+n.id())
		case "dns_name", "address":
			return tftypes.NewValue(kind, n.id()+"."+n.server.region+".amazonaws.com")
		}
		if strings.HasSuffix(name, "_arn") {
			return tftypes.NewValue(kind, n.arn()+"/"+name)
		}
		return tftypes.NewValue(kind, n.id()+"-"+name)
	case kind.Is(tftypes.Number):
		return tftypes.NewValue(kind, big.NewFloat(1))
	case kind.Is(tftypes.Bool):
		return tftypes.NewValue(kind, false)
	case kind.Is(tftypes.List{}):
		inner := kind.(tftypes.List).ElementType
		return tftypes.NewValue(kind, []tftypes.Value{n.fill(name, inner)})
	case kind.Is(tftypes.Set{}):
		return tftypes.NewValue(kind, []tftypes.Value{})
	case kind.Is(tftypes.Map{}):
		return tftypes.NewValue(kind, map[string]tftypes.Value{})
	case kind.Is(tftypes.Object{}):
		values := map[string]tftypes.Value{}
		for field, inner := range kind.(tftypes.Object).AttributeTypes {
			values[field] = n.fill(field, inner)
		}
		return tftypes.NewValue(kind, values)
	}
	return tftypes.NewValue(kind, nil)
}

func main() {
	path := os.Getenv("TEST_PROVIDER_SCHEMA")
	err := tf5server.Serve("registry.terraform.io/hashicorp/aws", func() tfprotov5.ProviderServer { return newServer(path) })
	if err != nil {
		log.Fatal(err)
	}
}
