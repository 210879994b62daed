package management

import (
	"encoding/base64"
	"encoding/json"
	"math"
	"time"
	"unicode/utf8"

	"thump/broker/amqp"
)

// tableOf turns a JSON object into a field table, as RabbitMQ does: whole numbers
// become longs, others doubles.
func tableOf(v any) (amqp.Table, error) {
	switch v := v.(type) {
	case nil:
		return amqp.Table{}, nil
	case []any: // rabbitmqadmin and PHP write an empty object so
		if len(v) == 0 {
			return amqp.Table{}, nil
		}
	case object:
		t := amqp.Table{}
		for k, x := range v {
			f, err := fieldOf(x)
			if err != nil {
				return nil, err
			}
			t[k] = f
		}
		return t, nil
	}
	return nil, badRequest("arguments are no object")
}

func fieldOf(v any) (any, error) {
	switch v := v.(type) {
	case json.Number:
		if n, err := v.Int64(); err == nil {
			return n, nil
		}
		return v.Float64()
	case object:
		return tableOf(v)
	case []any:
		list := make([]any, len(v))
		for i, x := range v {
			f, err := fieldOf(x)
			if err != nil {
				return nil, err
			}
			list[i] = f
		}
		return list, nil
	}
	return v, nil
}

// objectOf turns a field table into a JSON object.
func objectOf(t amqp.Table) object {
	o := object{}
	for k, v := range t {
		o[k] = jsonOf(v)
	}
	return o
}

func jsonOf(v any) any {
	switch v := v.(type) {
	case amqp.Table:
		return objectOf(v)
	case []any:
		list := make([]any, len(v))
		for i, x := range v {
			list[i] = jsonOf(x)
		}
		return list
	case []byte:
		if utf8.Valid(v) {
			return string(v)
		}
		return base64.StdEncoding.EncodeToString(v)
	case time.Time:
		return v.Unix()
	case amqp.Decimal:
		return float64(v.Value) / math.Pow10(int(v.Scale))
	case float32:
		return jsonOf(float64(v))
	case float64:
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return nil
		}
	}
	return v
}
