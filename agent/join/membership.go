package join

import (
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"go.yaml.in/yaml/v3"

	"thump/internal/vfs"
)

// Membership is what a host was given when it joined.
type Membership struct {
	URL        string // of the broker, with the host's own login
	CA         string // PEM of who vouches for the broker; "": whom the system trusts
	Host       string
	Groups     []string // the first is the label group
	CommandKey string   // base64 of the key that signs remote commands
}

// hostUser is how the logins of hosts begin.
const hostUser = "agent."

// IsMember tells whether the URL of a broker is one that a host was given.
func IsMember(rawURL string) bool {
	u, err := url.Parse(rawURL)
	return err == nil && strings.HasPrefix(u.User.Username(), hostUser)
}

// setting is one value of the configuration; nil removes it.
type setting struct {
	path  []string
	value any
}

// settings are the keys of the agent's configuration that hold a membership.
func (m *Membership) settings(dataDir string) []setting {
	return []setting{
		{[]string{"data_dir"}, dataDir},
		{[]string{"bus", "urls"}, []string{m.URL}},
		{[]string{"bus", "ca"}, m.CA},
		{[]string{"bus", "passive"}, true}, // this login may declare nothing
		{[]string{"agent", "host"}, m.Host},
		{[]string{"agent", "group"}, m.Groups[0]},
		{[]string{"agent", "groups"}, m.Groups[1:]},
		{[]string{"agent", "commands", "key"}, m.CommandKey},
	}
}

// Write puts a membership into the agent's configuration, and leaves the rest of a
// file that is there as it is. The file is its owner's alone.
func (m *Membership) Write(path, dataDir string) error {
	return edit(path, m.settings(dataDir))
}

// Forget takes the membership out of the configuration.
func Forget(path string) error {
	return edit(path, []setting{
		{[]string{"bus", "urls"}, nil}, {[]string{"bus", "ca"}, nil}, {[]string{"bus", "passive"}, nil}, {[]string{"agent", "commands", "key"}, nil},
	})
}

// Writable tells, before anything is asked of the server, whether its answer could
// be kept.
func Writable(path string) error {
	dir := filepath.Dir(path)
	if err := os.MkdirAll(dir, 0o755); err != nil { //nolint:gosec // the file in it is 0600
		return fmt.Errorf("folder of the configuration: %w", err)
	}
	probe, err := os.CreateTemp(dir, ".join-*")
	if err != nil {
		return fmt.Errorf("configuration cannot be written (run this as root, or choose another --config): %w", err)
	}
	if err := errors.Join(probe.Close(), os.Remove(probe.Name())); err != nil {
		return err
	}
	_, err = readDocument(path)
	return err
}

func edit(path string, all []setting) error {
	doc, err := readDocument(path)
	if err != nil {
		return err
	}
	for _, s := range all {
		if err := set(doc, s.path, s.value); err != nil {
			return fmt.Errorf("configuration %s: %w", path, err)
		}
	}
	text, err := yaml.Marshal(doc)
	if err != nil {
		return fmt.Errorf("configuration %s: %w", path, err)
	}
	return vfs.WriteFile(vfs.OS{}, path, text)
}

// readDocument returns the keys and values of a YAML file, none if there is no file.
func readDocument(path string) (*yaml.Node, error) {
	empty := &yaml.Node{Kind: yaml.MappingNode, HeadComment: "Written by thump-agent join. It holds the host's password: keep it to root."}
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return empty, nil
	}
	if err != nil {
		return nil, err
	}
	var doc yaml.Node
	if err := yaml.Unmarshal(text, &doc); err != nil {
		return nil, fmt.Errorf("configuration %s: %w", path, err)
	}
	if len(doc.Content) == 0 { // empty, or comments only
		return empty, nil
	}
	if doc.Content[0].Kind != yaml.MappingNode {
		return nil, fmt.Errorf("configuration %s: want keys and values", path)
	}
	return doc.Content[0], nil
}

// set sets, or with nil removes, what lies under the path of keys.
func set(m *yaml.Node, path []string, value any) error {
	i := 0
	for i < len(m.Content) && m.Content[i].Value != path[0] {
		i += 2
	}
	if i == len(m.Content) {
		if value == nil {
			return nil
		}
		m.Content = append(m.Content, &yaml.Node{Kind: yaml.ScalarNode, Value: path[0]}, &yaml.Node{Kind: yaml.MappingNode})
	}
	at := m.Content[i+1]
	switch {
	case len(path) == 1 && value == nil:
		m.Content = append(m.Content[:i], m.Content[i+2:]...)
		return nil
	case len(path) == 1:
		return at.Encode(value)
	case at.Kind == yaml.ScalarNode && at.Tag == "!!null":
		*at = yaml.Node{Kind: yaml.MappingNode}
	case at.Kind != yaml.MappingNode:
		return fmt.Errorf("line %d: %s: want keys and values", at.Line, path[0])
	}
	return set(at, path[1:], value)
}
