package check

import "thump/agent/exposition"

// parseExposition adds all samples of a text.
func parseExposition(o *output, text string) error {
	return exposition.Read(text, func(m *exposition.Sample) { o.add(fromExposition(m)) })
}

func fromExposition(m *exposition.Sample) *sample {
	return &sample{name: m.Name, typ: m.Type, help: m.Help, labels: m.Labels, value: m.Value}
}

// isName tells whether s is [a-zA-Z_:][a-zA-Z0-9_:]*.
func isName(s string) bool {
	for i := range len(s) {
		if !isNameByte(s[i]) || i == 0 && s[i] >= '0' && s[i] <= '9' {
			return false
		}
	}
	return s != ""
}

func isNameByte(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '_' || c == ':'
}
