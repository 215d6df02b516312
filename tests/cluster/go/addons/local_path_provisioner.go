//go:build tools

// Package addons pins what is built from other modules without a line of our own.
package addons

import _ "github.com/rancher/local-path-provisioner"
