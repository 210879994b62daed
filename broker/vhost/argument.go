package vhost

import (
	"fmt"
	"reflect"
	"time"

	"thump/broker/amqp"
)

// integer returns the value of an integer field, whatever its width.
func integer(v any) (int64, bool) {
	switch v := v.(type) {
	case int8:
		return int64(v), true
	case uint8:
		return int64(v), true
	case int16:
		return int64(v), true
	case uint16:
		return int64(v), true
	case int32:
		return int64(v), true
	case uint32:
		return int64(v), true
	case int64:
		return v, true
	}
	return 0, false
}

// number returns the value of a floating-point field.
func number(v any) (float64, bool) {
	switch v := v.(type) {
	case float32:
		return float64(v), true
	case float64:
		return v, true
	}
	return 0, false
}

// sameValue compares two fields as RabbitMQ does: integers of any width by
// value, floats of any width by value, all others by type and value.
func sameValue(a, b any) bool {
	if x, ok := integer(a); ok {
		y, ok := integer(b)
		return ok && x == y
	}
	if x, ok := number(a); ok {
		y, ok := number(b)
		return ok && x == y
	}
	return reflect.DeepEqual(a, b)
}

// notInteger is RabbitMQ's problem with a value that should be an integer.
func notInteger(v any) string { return fmt.Sprintf("\"expected integer, got %s\"", fieldType(v)) }

// fieldType names the type of a field as RabbitMQ's texts do.
func fieldType(v any) string {
	switch v.(type) {
	case nil:
		return "void"
	case bool:
		return "bool"
	case int8:
		return "byte"
	case uint8:
		return "unsignedbyte"
	case int16:
		return "short"
	case uint16:
		return "unsignedshort"
	case int32:
		return "signedint"
	case uint32:
		return "unsignedint"
	case int64:
		return "long"
	case float32:
		return "float"
	case float64:
		return "double"
	case amqp.Decimal:
		return "decimal"
	case string:
		return "longstr"
	case []byte:
		return "binary"
	case time.Time:
		return "timestamp"
	case amqp.Table:
		return "table"
	}
	return "array"
}

// assertSame returns RabbitMQ's PRECONDITION_FAILED if a property of a redeclared
// queue or exchange differs.
func assertSame[T comparable](what, property string, received, current T) error {
	if received == current {
		return nil
	}
	return amqp.ChannelError(amqp.PreconditionFailed,
		"inequivalent arg '%s' for %s: received '%v' but current is '%v'", property, what, received, current)
}

// assertSameArguments does the same for the named arguments; all others do not
// count.
func assertSameArguments(what string, names []string, received, current amqp.Table) error {
	for _, name := range names {
		got, given := received[name]
		have, present := current[name]
		var gotText, haveText string
		switch {
		case given && present && sameValue(got, have), !given && !present:
			continue
		case given && present:
			gotText, haveText = fmt.Sprintf("'%v'", got), fmt.Sprintf("'%v'", have)
		default:
			gotText, haveText = describe(got, given), describe(have, present)
		}
		return amqp.ChannelError(amqp.PreconditionFailed,
			"inequivalent arg '%s' for %s: received %s but current is %s", name, what, gotText, haveText)
	}
	return nil
}

func describe(v any, present bool) string {
	if !present {
		return "none"
	}
	return fmt.Sprintf("the value '%v' of type '%s'", v, fieldType(v))
}
