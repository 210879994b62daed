package telemetry

import (
	"fmt"
	"unicode/utf8"
)

// readSymbols collects the symbols of a request; they may stand anywhere in it.
func (l *layout) readSymbols(b []byte) error {
	n := symbolsPrefix(b)
	l.section = string(b[:n])
	for rest := b; len(rest) > 0; {
		f, behind, err := next(rest)
		if err != nil {
			return err
		}
		rest = behind
		if f.num != requestSymbols {
			continue
		}
		var s string
		if end := len(b) - len(rest); end <= n {
			s = l.section[end-len(f.bytes) : end]
		} else {
			s = string(f.bytes)
			l.section = "" // not all of them
		}
		if err := l.addSymbol(s); err != nil {
			return err
		}
	}
	if len(l.symbols) == 0 {
		l.symbols = []string{""}
	}
	return nil
}

// symbolsPrefix is the length of the symbols before the first other field.
func symbolsPrefix(b []byte) int {
	rest := b
	for len(rest) > 0 {
		f, behind, err := next(rest)
		if err != nil || f.num != requestSymbols {
			break
		}
		rest = behind
	}
	return len(b) - len(rest)
}

func (l *layout) addSymbol(s string) error {
	switch {
	case len(l.symbols) == MaxSymbols:
		return fmt.Errorf("more than %d symbols", MaxSymbols)
	case !utf8.ValidString(s):
		return fmt.Errorf("symbol %.60q is not UTF-8", s)
	}
	l.symbols = append(l.symbols, s)
	return nil
}
