package main

import (
	"os"
	"reflect"
	"strings"
	"testing"

	"github.com/spf13/pflag"
	"go.yaml.in/yaml/v3"

	"thump/internal/config"
)

const shipped = "../../configs/thump.yaml"

func TestShippedFileSaysTheDefaults(t *testing.T) {
	var got Config // no defaults: what the file leaves out shows
	if err := config.ReadFile(shipped, &got); err != nil {
		t.Fatal(err)
	}
	want, err := yaml.Marshal(DefaultConfig())
	if err != nil {
		t.Fatal(err)
	}
	have, err := yaml.Marshal(got)
	if err != nil {
		t.Fatal(err)
	}
	if string(have) != string(want) {
		t.Errorf("the shipped file says\n%s\nthe defaults are\n%s", have, want)
	}
}

func TestShippedFileHasEveryKey(t *testing.T) {
	text, err := os.ReadFile(shipped)
	if err != nil {
		t.Fatal(err)
	}
	var file map[string]any
	if err := yaml.Unmarshal(text, &file); err != nil {
		t.Fatal(err)
	}
	checkKeys(t, "", reflect.TypeFor[Config](), file)
}

func checkKeys(t *testing.T, path string, typ reflect.Type, file map[string]any) {
	for i := range typ.NumField() {
		f := typ.Field(i)
		key, inline := strings.CutSuffix(f.Tag.Get("yaml"), ",inline")
		switch {
		case inline:
			checkKeys(t, path, f.Type, file)
			continue
		case key == "-":
			continue
		}
		value, ok := file[key]
		if !ok {
			t.Errorf("%s has no key %s%s", shipped, path, key)
		}
		if section, ok := value.(map[string]any); ok && f.Type.Kind() == reflect.Struct {
			checkKeys(t, path+key+".", f.Type, section)
		}
	}
}

func TestEveryFlagHasAKeyAndHelp(t *testing.T) {
	cfg := DefaultConfig()
	flags := pflag.NewFlagSet("thump", pflag.ContinueOnError)
	config.Bind(flags, &cfg)
	n := 0
	flags.VisitAll(func(f *pflag.Flag) {
		n++
		if !strings.Contains(f.Usage, "THUMP_") || strings.HasPrefix(f.Usage, " (") {
			t.Errorf("flag --%s has the help %q", f.Name, f.Usage)
		}
	})
	if n < 10 {
		t.Errorf("only %d flags", n)
	}
}
