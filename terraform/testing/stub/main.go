// Command terraform-schema-stub is a Terraform provider that knows the schema of a real one and nothing else.
//
// It reads schema.json.gz, the output of `terraform providers schema -json` cut to what the modules use, and values.json from
// the folder of its own binary, and speaks plugin protocol 6. It reaches no network: it is there so that init, validate,
// plan, apply and test run offline against what a real provider would accept. Values of enumerations, forced replacement and conflicts between
// attributes are not in such a schema; the policies on plans look after those.
package main

import (
	"log"
	"os"
	"path/filepath"

	"github.com/hashicorp/terraform-plugin-go/tfprotov6"
	"github.com/hashicorp/terraform-plugin-go/tfprotov6/tf6server"
)

func main() {
	if err := serve(); err != nil {
		log.Fatal(err)
	}
}

func serve() error {
	binary, err := os.Executable()
	if err != nil {
		return err
	}
	folder := filepath.Dir(binary)
	schema, err := readSchema(filepath.Join(folder, "schema.json.gz"))
	if err != nil {
		return err
	}
	values, err := readValues(filepath.Join(folder, "values.json"))
	if err != nil {
		return err
	}
	stub := &server{schema: schema, values: values}
	return tf6server.Serve("registry.terraform.io/tidemark/schema-stub", func() tfprotov6.ProviderServer { return stub })
}
