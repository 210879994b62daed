package redis

import (
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"thump/internal/bus"
)

// A message in Redis is a list of names and values, in a stream's entry as well
// as on a channel. Empty ones are left out.
const (
	exchangeField        = "exchange"
	keyField             = "key"
	typeField            = "type"
	idField              = "id"
	contentTypeField     = "content_type"
	contentEncodingField = "content_encoding"
	correlationIDField   = "correlation_id"
	replyToField         = "reply_to"
	timeField            = "time"    // Unix milliseconds
	expiresField         = "expires" // milliseconds from the entry's ID on
	transientField       = "transient"
	bodyField            = "body"
	headerPrefix         = "header:" // and the header's name
)

// toFields writes a message.
func toFields(exchange string, m *bus.Message) []string {
	f := make([]string, 0, 24+2*len(m.Headers))
	add := func(name, value string) {
		if value != "" {
			f = append(f, name, value)
		}
	}
	f = append(f, exchangeField, exchange)
	add(keyField, m.Key)
	add(typeField, m.Type)
	add(idField, m.ID)
	add(contentTypeField, m.ContentType)
	add(contentEncodingField, m.ContentEncoding)
	add(correlationIDField, m.CorrelationID)
	add(replyToField, m.ReplyTo)
	if !m.Time.IsZero() {
		add(timeField, strconv.FormatInt(m.Time.UnixMilli(), 10))
	}
	if m.Expires > 0 {
		add(expiresField, strconv.FormatInt(m.Expires.Milliseconds(), 10))
	}
	if m.Transient {
		add(transientField, "1")
	}
	for _, k := range slices.Sorted(maps.Keys(m.Headers)) {
		f = append(f, headerPrefix+k, m.Headers[k])
	}
	add(bodyField, string(m.Body))
	return f
}

// fromFields reads a message; a name that is not known is passed over.
func fromFields(fields []string) (exchange string, m bus.Message) {
	for i := 0; i+1 < len(fields); i += 2 {
		name, value := fields[i], fields[i+1]
		switch name {
		case exchangeField:
			exchange = value
		case keyField:
			m.Key = value
		case typeField:
			m.Type = value
		case idField:
			m.ID = value
		case contentTypeField:
			m.ContentType = value
		case contentEncodingField:
			m.ContentEncoding = value
		case correlationIDField:
			m.CorrelationID = value
		case replyToField:
			m.ReplyTo = value
		case timeField:
			if ms, err := strconv.ParseInt(value, 10, 64); err == nil {
				m.Time = time.UnixMilli(ms)
			}
		case expiresField:
			if ms, err := strconv.ParseUint(value, 10, 32); err == nil {
				m.Expires = time.Duration(ms) * time.Millisecond
			}
		case transientField:
			m.Transient = value == "1"
		case bodyField:
			m.Body = []byte(value)
		default:
			if h, ok := strings.CutPrefix(name, headerPrefix); ok {
				if m.Headers == nil {
					m.Headers = map[string]string{}
				}
				m.Headers[h] = value
			}
		}
	}
	return exchange, m
}

// born is when an entry was added, by the server's clock: its ID begins with it.
func born(id string) time.Time {
	ms, _, _ := strings.Cut(id, "-")
	n, err := strconv.ParseInt(ms, 10, 64)
	if err != nil {
		return time.Time{}
	}
	return time.UnixMilli(n)
}
