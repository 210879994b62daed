package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"

	"go.yaml.in/yaml/v3"
)

// ReadFile fills cfg, a pointer to a struct, from a YAML file. A key that cfg
// does not know is an error that names file and line.
func ReadFile(path string, cfg any) error {
	b, err := os.ReadFile(path)
	if err != nil {
		return fmt.Errorf("read configuration: %w", err)
	}
	dec := yaml.NewDecoder(bytes.NewReader(b))
	dec.KnownFields(true)
	if err := dec.Decode(cfg); err != nil && !errors.Is(err, io.EOF) {
		return fmt.Errorf("configuration %s: %w", path, explain(err))
	}
	return nil
}

var unknownField = regexp.MustCompile(`^line (\d+): field (\S+) not found in type .*$`)

// explain says an unknown key in the reader's words rather than Go's.
func explain(err error) error {
	var te *yaml.TypeError
	if !errors.As(err, &te) {
		return err
	}
	var all []error
	for _, e := range te.Errors {
		all = append(all, errors.New(unknownField.ReplaceAllString(e, "line $1: unknown key \"$2\"")))
	}
	return errors.Join(all...)
}
