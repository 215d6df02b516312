package main

import (
	"compress/gzip"
	"encoding/json"
	"fmt"
	"os"
	"strings"

	"github.com/hashicorp/terraform-plugin-go/tfprotov6"
	"github.com/hashicorp/terraform-plugin-go/tftypes"
)

// The part of `terraform providers schema -json` that decides what a configuration may say.

type schemaFile struct {
	Provider    schemaJSON            `json:"provider"`
	Resources   map[string]schemaJSON `json:"resource_schemas"`
	DataSources map[string]schemaJSON `json:"data_source_schemas"`
}

type schemaJSON struct {
	Version int64     `json:"version"`
	Block   blockJSON `json:"block"`
}

type blockJSON struct {
	Attributes map[string]attributeJSON `json:"attributes"`
	Blocks     map[string]nestedJSON    `json:"block_types"`
}

type attributeJSON struct {
	Type       json.RawMessage `json:"type"`
	NestedType *objectJSON     `json:"nested_type"`
	Required   bool            `json:"required"`
	Optional   bool            `json:"optional"`
	Computed   bool            `json:"computed"`
	Sensitive  bool            `json:"sensitive"`
	Deprecated bool            `json:"deprecated"`
	WriteOnly  bool            `json:"write_only"`
}

type objectJSON struct {
	Attributes map[string]attributeJSON `json:"attributes"`
	Nesting    string                   `json:"nesting_mode"`
}

type nestedJSON struct {
	Nesting string    `json:"nesting_mode"`
	Block   blockJSON `json:"block"`
	Min     int64     `json:"min_items"`
	Max     int64     `json:"max_items"`
}

var blockNesting = map[string]tfprotov6.SchemaNestedBlockNestingMode{
	"single": tfprotov6.SchemaNestedBlockNestingModeSingle,
	"list":   tfprotov6.SchemaNestedBlockNestingModeList,
	"set":    tfprotov6.SchemaNestedBlockNestingModeSet,
	"map":    tfprotov6.SchemaNestedBlockNestingModeMap,
	"group":  tfprotov6.SchemaNestedBlockNestingModeGroup,
}

var objectNesting = map[string]tfprotov6.SchemaObjectNestingMode{
	"single": tfprotov6.SchemaObjectNestingModeSingle,
	"list":   tfprotov6.SchemaObjectNestingModeList,
	"set":    tfprotov6.SchemaObjectNestingModeSet,
	"map":    tfprotov6.SchemaObjectNestingModeMap,
}

// Types that whoever starts the stub is going to use. Terraform reads the whole schema several times in each run, and a web ACL of AWS is ten times as large as all
// other types together.
const typesVariable = "SCHEMA_STUB_TYPES"

// only leaves the types of a list with commas; an empty list leaves all.
func only(schemas map[string]schemaJSON, types string) map[string]schemaJSON {
	if types == "" {
		return schemas
	}
	kept := map[string]schemaJSON{}
	for _, name := range strings.Split(types, ",") {
		if schema, known := schemas[name]; known {
			kept[name] = schema
		}
	}
	return kept
}

func readSchema(path string) (*tfprotov6.GetProviderSchemaResponse, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	plain, err := gzip.NewReader(file)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", path, err)
	}
	var parsed schemaFile
	if err := json.NewDecoder(plain).Decode(&parsed); err != nil {
		return nil, fmt.Errorf("read %s: %w", path, err)
	}
	provider, err := parsed.Provider.toProtocol()
	if err != nil {
		return nil, fmt.Errorf("provider block: %w", err)
	}
	types := os.Getenv(typesVariable)
	resources, err := toProtocol(only(parsed.Resources, types))
	if err != nil {
		return nil, err
	}
	dataSources, err := toProtocol(only(parsed.DataSources, types))
	if err != nil {
		return nil, err
	}
	return &tfprotov6.GetProviderSchemaResponse{
		Provider:           provider,
		ResourceSchemas:    resources,
		DataSourceSchemas:  dataSources,
		ServerCapabilities: &tfprotov6.ServerCapabilities{GetProviderSchemaOptional: true},
	}, nil
}

func toProtocol(schemas map[string]schemaJSON) (map[string]*tfprotov6.Schema, error) {
	converted := make(map[string]*tfprotov6.Schema, len(schemas))
	for name, schema := range schemas {
		one, err := schema.toProtocol()
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		converted[name] = one
	}
	return converted, nil
}

func (s schemaJSON) toProtocol() (*tfprotov6.Schema, error) {
	block, err := s.Block.toProtocol()
	return &tfprotov6.Schema{Version: s.Version, Block: block}, err
}

func (b blockJSON) toProtocol() (*tfprotov6.SchemaBlock, error) {
	attributes, err := attributesToProtocol(b.Attributes)
	if err != nil {
		return nil, err
	}
	block := &tfprotov6.SchemaBlock{Attributes: attributes}
	for name, nested := range b.Blocks {
		mode, known := blockNesting[nested.Nesting]
		if !known {
			return nil, fmt.Errorf("block %s: nesting mode %q", name, nested.Nesting)
		}
		inner, err := nested.Block.toProtocol()
		if err != nil {
			return nil, fmt.Errorf("block %s: %w", name, err)
		}
		block.BlockTypes = append(block.BlockTypes, &tfprotov6.SchemaNestedBlock{
			TypeName: name, Block: inner, Nesting: mode, MinItems: nested.Min, MaxItems: nested.Max,
		})
	}
	return block, nil
}

func attributesToProtocol(attributes map[string]attributeJSON) ([]*tfprotov6.SchemaAttribute, error) {
	var converted []*tfprotov6.SchemaAttribute
	for name, attribute := range attributes {
		one := &tfprotov6.SchemaAttribute{
			Name: name, Required: attribute.Required, Optional: attribute.Optional, Computed: attribute.Computed,
			Sensitive: attribute.Sensitive, Deprecated: attribute.Deprecated, WriteOnly: attribute.WriteOnly,
		}
		if attribute.NestedType == nil {
			kind, err := tftypes.ParseJSONType(attribute.Type)
			if err != nil {
				return nil, fmt.Errorf("attribute %s: %w", name, err)
			}
			one.Type = kind
		} else {
			inner, err := attributesToProtocol(attribute.NestedType.Attributes)
			if err != nil {
				return nil, fmt.Errorf("attribute %s: %w", name, err)
			}
			one.NestedType = &tfprotov6.SchemaObject{Attributes: inner, Nesting: objectNesting[attribute.NestedType.Nesting]}
		}
		converted = append(converted, one)
	}
	return converted, nil
}
