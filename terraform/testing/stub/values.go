package main

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"os"
	"regexp"
	"strings"

	"github.com/hashicorp/terraform-plugin-go/tfprotov6"
	"github.com/hashicorp/terraform-plugin-go/tftypes"
)

// openAttribute gives the value of a computed attribute that the configuration left open. `siblings` are the attributes
// beside it, so that an ARN can hold the name of its own resource, as the policies of a plan need it.
type openAttribute func(path string, kind tftypes.Type, siblings map[string]tftypes.Value) tftypes.Value

func stayUnknown(_ string, kind tftypes.Type, _ map[string]tftypes.Value) tftypes.Value {
	return tftypes.NewValue(kind, tftypes.UnknownValue)
}

func fillBlock(path string, block *tfprotov6.SchemaBlock, value tftypes.Value, open openAttribute) tftypes.Value {
	fields := map[string]tftypes.Value{}
	if value.IsNull() || !value.IsKnown() || value.As(&fields) != nil {
		return value
	}
	fillAttributes(path, block.Attributes, fields, open)
	for _, nested := range block.BlockTypes {
		inside := path + "." + nested.TypeName
		fields[nested.TypeName] = eachObject(fields[nested.TypeName], func(object tftypes.Value) tftypes.Value {
			return fillBlock(inside, nested.Block, object, open)
		})
	}
	return tftypes.NewValue(value.Type(), fields)
}

func fillAttributes(path string, attributes []*tfprotov6.SchemaAttribute, fields map[string]tftypes.Value, open openAttribute) {
	for _, attribute := range attributes {
		now := fields[attribute.Name]
		inside := path + "." + attribute.Name
		switch {
		case attribute.WriteOnly:
			// Terraform refuses a provider that lets a write-only value into a plan or a state.
			fields[attribute.Name] = tftypes.NewValue(now.Type(), nil)
		case attribute.Computed && (now.IsNull() || !now.IsKnown()):
			fields[attribute.Name] = open(inside, attribute.ValueType(), fields)
		case attribute.NestedType != nil:
			fields[attribute.Name] = eachObject(now, func(object tftypes.Value) tftypes.Value {
				inner := map[string]tftypes.Value{}
				if object.IsNull() || !object.IsKnown() || object.As(&inner) != nil {
					return object
				}
				fillAttributes(inside, attribute.NestedType.Attributes, inner, open)
				return tftypes.NewValue(object.Type(), inner)
			})
		}
	}
}

func eachObject(value tftypes.Value, change func(tftypes.Value) tftypes.Value) tftypes.Value {
	if value.IsNull() || !value.IsKnown() {
		return value
	}
	var list []tftypes.Value
	if value.As(&list) == nil {
		for index := range list {
			list[index] = change(list[index])
		}
		return tftypes.NewValue(value.Type(), list)
	}
	if value.Type().Is(tftypes.Map{}) {
		entries := map[string]tftypes.Value{}
		if value.As(&entries) == nil {
			for key := range entries {
				entries[key] = change(entries[key])
			}
			return tftypes.NewValue(value.Type(), entries)
		}
	}
	return change(value)
}

// answers makes up what a cloud would have answered: by values.json where it has the path, else by the kind of the attribute.
// The same configuration gives the same answers in each run, so that a second plan is empty.
type answers struct {
	given    map[string]json.RawMessage
	typeName string
	seed     string
}

func readValues(path string) (map[string]json.RawMessage, error) {
	given := map[string]json.RawMessage{}
	text, err := os.ReadFile(path)
	if os.IsNotExist(err) {
		return given, nil
	}
	if err != nil {
		return nil, err
	}
	return given, json.Unmarshal(text, &given)
}

var placeholder = regexp.MustCompile(`\{([a-z_0-9]+)\}`)

func (a answers) open(path string, kind tftypes.Type, siblings map[string]tftypes.Value) tftypes.Value {
	digest := sha256.Sum256([]byte(a.seed + path))
	short := hex.EncodeToString(digest[:8])
	if text, found := a.given[path]; found {
		filled := placeholder.ReplaceAllStringFunc(string(text), func(name string) string {
			var known string
			if name == "{digest}" {
				return short
			}
			if sibling, exists := siblings[strings.Trim(name, "{}")]; exists && sibling.IsKnown() && !sibling.IsNull() && sibling.As(&known) == nil {
				return known
			}
			return short
		})
		if value, err := tftypes.ValueFromJSON([]byte(filled), kind); err == nil {
			return value
		}
	}
	switch {
	case kind.Is(tftypes.String):
		return tftypes.NewValue(kind, a.text(path, short))
	case kind.Is(tftypes.Number):
		return tftypes.NewValue(kind, 0)
	case kind.Is(tftypes.Bool):
		return tftypes.NewValue(kind, false)
	}
	switch shape := kind.(type) {
	case tftypes.Object:
		fields := map[string]tftypes.Value{}
		for name, inner := range shape.AttributeTypes {
			fields[name] = a.open(path+"."+name, inner, fields)
		}
		return tftypes.NewValue(kind, fields)
	case tftypes.List: // one element, for configurations that read the first
		return tftypes.NewValue(kind, []tftypes.Value{a.open(path, shape.ElementType, siblings)})
	case tftypes.Set:
		return tftypes.NewValue(kind, []tftypes.Value{})
	case tftypes.Map:
		return tftypes.NewValue(kind, map[string]tftypes.Value{})
	}
	return tftypes.NewValue(kind, nil)
}

func (a answers) text(path, short string) string {
	name := path[strings.LastIndex(path, ".")+1:]
	azure := strings.HasPrefix(a.typeName, "azurerm_")
	switch {
	case name == "arn" || strings.HasSuffix(name, "_arn"):
		return "arn:aws:stub:eu-central-1:123456789012:" + a.typeName + "/" + short
	case azure && name == "id":
		return "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/stub/providers/Microsoft.Stub/" + a.typeName + "/" + short
	case azure && strings.HasSuffix(name, "_id"):
		return short[:8] + "-" + short[8:12] + "-4000-8000-" + short[:12]
	case strings.HasSuffix(name, "endpoint"), strings.HasSuffix(name, "url"), strings.HasSuffix(name, "uri"), name == "issuer", name == "host":
		return "https://" + short + ".stub.invalid"
	case strings.Contains(name, "certificate"), name == "data", name == "client_key":
		return "c3R1Yg=="
	}
	return "stub-" + short
}
