package main

import (
	"context"
	"encoding/json"

	"github.com/hashicorp/terraform-plugin-go/tfprotov6"
)

// server answers what init, validate, plan, apply, destroy and test ask a provider, without a cloud.
type server struct {
	tfprotov6.ProviderServer // functions, ephemeral resources, import, …: never called for these schemas
	schema                   *tfprotov6.GetProviderSchemaResponse
	values                   map[string]json.RawMessage
}

func refusal(err error) []*tfprotov6.Diagnostic {
	return []*tfprotov6.Diagnostic{{Severity: tfprotov6.DiagnosticSeverityError, Summary: "schema stub", Detail: err.Error()}}
}

func (s *server) GetMetadata(context.Context, *tfprotov6.GetMetadataRequest) (*tfprotov6.GetMetadataResponse, error) {
	answer := &tfprotov6.GetMetadataResponse{ServerCapabilities: s.schema.ServerCapabilities}
	for name := range s.schema.ResourceSchemas {
		answer.Resources = append(answer.Resources, tfprotov6.ResourceMetadata{TypeName: name})
	}
	for name := range s.schema.DataSourceSchemas {
		answer.DataSources = append(answer.DataSources, tfprotov6.DataSourceMetadata{TypeName: name})
	}
	return answer, nil
}

func (s *server) GetProviderSchema(context.Context, *tfprotov6.GetProviderSchemaRequest) (*tfprotov6.GetProviderSchemaResponse, error) {
	return s.schema, nil
}

func (s *server) GetResourceIdentitySchemas(context.Context, *tfprotov6.GetResourceIdentitySchemasRequest) (*tfprotov6.GetResourceIdentitySchemasResponse, error) {
	return &tfprotov6.GetResourceIdentitySchemasResponse{}, nil
}

func (s *server) GetFunctions(context.Context, *tfprotov6.GetFunctionsRequest) (*tfprotov6.GetFunctionsResponse, error) {
	return &tfprotov6.GetFunctionsResponse{}, nil
}

func (s *server) ValidateProviderConfig(_ context.Context, request *tfprotov6.ValidateProviderConfigRequest) (*tfprotov6.ValidateProviderConfigResponse, error) {
	return &tfprotov6.ValidateProviderConfigResponse{PreparedConfig: request.Config}, nil
}

func (s *server) ConfigureProvider(context.Context, *tfprotov6.ConfigureProviderRequest) (*tfprotov6.ConfigureProviderResponse, error) {
	return &tfprotov6.ConfigureProviderResponse{}, nil
}

func (s *server) StopProvider(context.Context, *tfprotov6.StopProviderRequest) (*tfprotov6.StopProviderResponse, error) {
	return &tfprotov6.StopProviderResponse{}, nil
}

// Terraform itself has checked the configuration against the schema before it asks; nothing more is known here.
func (s *server) ValidateResourceConfig(context.Context, *tfprotov6.ValidateResourceConfigRequest) (*tfprotov6.ValidateResourceConfigResponse, error) {
	return &tfprotov6.ValidateResourceConfigResponse{}, nil
}

func (s *server) ValidateDataResourceConfig(context.Context, *tfprotov6.ValidateDataResourceConfigRequest) (*tfprotov6.ValidateDataResourceConfigResponse, error) {
	return &tfprotov6.ValidateDataResourceConfigResponse{}, nil
}

func (s *server) UpgradeResourceState(_ context.Context, request *tfprotov6.UpgradeResourceStateRequest) (*tfprotov6.UpgradeResourceStateResponse, error) {
	kind := s.schema.ResourceSchemas[request.TypeName].ValueType()
	value, err := request.RawState.Unmarshal(kind)
	if err != nil {
		return &tfprotov6.UpgradeResourceStateResponse{Diagnostics: refusal(err)}, nil
	}
	state, err := tfprotov6.NewDynamicValue(kind, value)
	return &tfprotov6.UpgradeResourceStateResponse{UpgradedState: &state}, err
}

func (s *server) ReadResource(_ context.Context, request *tfprotov6.ReadResourceRequest) (*tfprotov6.ReadResourceResponse, error) {
	return &tfprotov6.ReadResourceResponse{NewState: request.CurrentState, Private: request.Private}, nil
}

func (s *server) PlanResourceChange(_ context.Context, request *tfprotov6.PlanResourceChangeRequest) (*tfprotov6.PlanResourceChangeResponse, error) {
	planned, err := filled(s.schema.ResourceSchemas[request.TypeName], request.ProposedNewState, request.TypeName, stayUnknown)
	if err != nil {
		return &tfprotov6.PlanResourceChangeResponse{Diagnostics: refusal(err)}, nil
	}
	return &tfprotov6.PlanResourceChangeResponse{
		PlannedState: planned, PlannedPrivate: request.PriorPrivate, UnsafeToUseLegacyTypeSystem: true,
	}, nil
}

func (s *server) ApplyResourceChange(_ context.Context, request *tfprotov6.ApplyResourceChangeRequest) (*tfprotov6.ApplyResourceChangeResponse, error) {
	made := answers{given: s.values, typeName: request.TypeName, seed: string(request.Config.MsgPack)}
	state, err := filled(s.schema.ResourceSchemas[request.TypeName], request.PlannedState, request.TypeName, made.open)
	if err != nil {
		return &tfprotov6.ApplyResourceChangeResponse{Diagnostics: refusal(err)}, nil
	}
	return &tfprotov6.ApplyResourceChangeResponse{
		NewState: state, Private: request.PlannedPrivate, UnsafeToUseLegacyTypeSystem: true,
	}, nil
}

func (s *server) ReadDataSource(_ context.Context, request *tfprotov6.ReadDataSourceRequest) (*tfprotov6.ReadDataSourceResponse, error) {
	made := answers{given: s.values, typeName: request.TypeName, seed: string(request.Config.MsgPack)}
	state, err := filled(s.schema.DataSourceSchemas[request.TypeName], request.Config, "data."+request.TypeName, made.open)
	if err != nil {
		return &tfprotov6.ReadDataSourceResponse{Diagnostics: refusal(err)}, nil
	}
	return &tfprotov6.ReadDataSourceResponse{State: state}, nil
}

func filled(schema *tfprotov6.Schema, encoded *tfprotov6.DynamicValue, path string, open openAttribute) (*tfprotov6.DynamicValue, error) {
	kind := schema.ValueType()
	value, err := encoded.Unmarshal(kind)
	if err != nil {
		return nil, err
	}
	again, err := tfprotov6.NewDynamicValue(kind, fillBlock(path, schema.Block, value, open))
	return &again, err
}
