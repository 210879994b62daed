package config

import (
	"fmt"
	"reflect"
	"strings"

	"github.com/spf13/pflag"
)

// Bind registers a flag for every field of cfg, a pointer to a struct, that has
// a flag tag; nested structs are walked. The field's present value is the default.
func Bind(flags *pflag.FlagSet, cfg any) {
	walk(reflect.ValueOf(cfg).Elem(), func(name, usage string, v reflect.Value) {
		if flags.Lookup(name) == nil {
			register(flags, name, fmt.Sprintf("%s (%s)", usage, Env(name)), v.Addr().Interface())
		}
	})
}

func register(flags *pflag.FlagSet, name, usage string, p any) {
	switch p := p.(type) {
	case pflag.Value:
		flags.Var(p, name, usage)
	case *string:
		flags.StringVar(p, name, *p, usage)
	case *bool:
		flags.BoolVar(p, name, *p, usage)
	case *int:
		flags.IntVar(p, name, *p, usage)
	case *[]string:
		flags.StringSliceVar(p, name, *p, usage)
	default:
		panic(fmt.Sprintf("config: flag --%s has type %T, which no flag takes", name, p))
	}
}

// Load fills cfg, of which all or some sections were given to Bind with these
// flags, once they are parsed: file (may be ""), then environment over it, then
// the flags over both.
func Load(flags *pflag.FlagSet, file string, lookup func(string) (string, bool), cfg any) error {
	given := map[string]string{}
	flags.Visit(func(f *pflag.Flag) { given[f.Name] = flagText(f) })
	if file != "" {
		if err := ReadFile(file, cfg); err != nil {
			return err
		}
	}
	var failed error
	walk(reflect.ValueOf(cfg).Elem(), func(name, _ string, _ reflect.Value) {
		f := flags.Lookup(name)
		if f == nil || failed != nil {
			return
		}
		failed = override(f, given, lookup)
	})
	return failed
}

// override sets a field from its flag, or else from its variable.
func override(f *pflag.Flag, given map[string]string, lookup func(string) (string, bool)) error {
	if text, ok := given[f.Name]; ok {
		return set(f, text)
	}
	text, ok := lookup(Env(f.Name))
	if !ok {
		return nil
	}
	if err := set(f, text); err != nil {
		return fmt.Errorf("environment variable %s=%q: %w", Env(f.Name), text, err)
	}
	return nil
}

func set(f *pflag.Flag, text string) error {
	if s, ok := f.Value.(pflag.SliceValue); ok {
		if text == "" {
			return s.Replace(nil)
		}
		return s.Replace(strings.Split(text, ","))
	}
	return f.Value.Set(text)
}

func flagText(f *pflag.Flag) string {
	if s, ok := f.Value.(pflag.SliceValue); ok {
		return strings.Join(s.GetSlice(), ",")
	}
	return f.Value.String()
}

// Env is the environment variable of a flag.
func Env(flag string) string {
	return "THUMP_" + strings.ToUpper(strings.ReplaceAll(flag, "-", "_"))
}

func walk(v reflect.Value, visit func(name, usage string, v reflect.Value)) {
	for i := range v.NumField() {
		f := v.Type().Field(i)
		switch name := f.Tag.Get("flag"); {
		case name != "":
			visit(name, f.Tag.Get("usage"), v.Field(i))
		case f.Type.Kind() == reflect.Struct && f.IsExported():
			walk(v.Field(i), visit)
		}
	}
}
