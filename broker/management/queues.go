package management

import (
	"slices"

	"thump/broker"
	"thump/broker/definitions"
	"thump/broker/vhost"
)

func (s *Server) queues(c *call) (any, error) {
	seen, err := s.visible(c)
	if err != nil {
		return nil, err
	}
	var items []object
	for _, v := range seen {
		g, err := s.governedIn(v)
		if err != nil {
			return nil, err
		}
		for _, q := range v.Queues() {
			items = append(items, s.queueObject(v, q, g))
		}
	}
	return list(c, items)
}

func (s *Server) queueObject(v *vhost.VHost, q vhost.QueueState, g governed) object {
	o := queueDefinition(q.QueueSpec)
	o["vhost"], o["node"], o["type"], o["state"] = v.Name(), s.node, queueType(q.QueueSpec), "running"
	o["exclusive"], o["consumers"] = q.Exclusive, q.Consumers
	o["message_bytes_ready"] = q.ReadyBytes
	o["exclusive_consumer_tag"], o["single_active_consumer_tag"] = nil, nameOrNull(q.ActiveConsumer)
	o["head_message_timestamp"], o["recoverable_slaves"] = nil, nil
	if q.Owner != "" {
		o["owner_pid_details"] = object{"name": q.Owner}
	}
	g.put(o, q)
	s.rates.put(o, key("queue lengths", v.Name(), q.Name), lengths(q.Ready, q.Unacked))
	s.rates.putMessages(o, key("queue", v.Name(), q.Name), queueStats(q))
	return o
}

func queueDefinition(q vhost.QueueSpec) object {
	return object{"name": q.Name, "durable": q.Durable, "auto_delete": q.AutoDelete, "arguments": objectOf(q.Args)}
}

func queueType(q vhost.QueueSpec) string {
	if t, ok := q.Args["x-queue-type"].(string); ok {
		return t
	}
	return "classic"
}

// queue finds the queue that the path names.
func (s *Server) queue(c *call) (vhost.QueueState, error) {
	q, ok := c.vhost.QueueState(c.part("queue"))
	if !ok {
		return q, notFound()
	}
	return q, nil
}

func (s *Server) oneQueue(c *call) (any, error) {
	q, err := s.queue(c)
	if err != nil {
		return nil, err
	}
	g, err := s.governedIn(c.vhost)
	if err != nil {
		return nil, err
	}
	o := s.queueObject(c.vhost, q, g)
	o["incoming"], o["deliveries"] = []any{}, []any{}
	o["consumer_details"] = s.consumersOf(func(conn broker.ConnectionDetail, d broker.ConsumerDetail) bool {
		return conn.VHost == c.vhost.Name() && d.Queue == q.Name
	})
	return o, nil
}

func (s *Server) putQueue(c *call) (any, error) {
	body, err := c.body()
	if err != nil {
		return nil, err
	}
	name := c.part("queue")
	if err := s.allow(c, definitions.Access.MayConfigure, name); err != nil {
		return nil, err
	}
	_, missing := s.queue(c)
	if err := declareQueue(c.vhost, name, body); err != nil {
		return nil, err
	}
	if missing == nil {
		return nil, nil
	}
	return created{}, nil
}

func declareQueue(v *vhost.VHost, name string, o object) error {
	spec := vhost.QueueSpec{Name: name}
	var err error
	if spec.Durable, err = boolean(o, "durable", true); err != nil {
		return err
	}
	if spec.AutoDelete, err = boolean(o, "auto_delete", false); err != nil {
		return err
	}
	if spec.Args, err = tableOf(o["arguments"]); err != nil {
		return err
	}
	_, err = v.DeclareQueue(spec, nil)
	return err
}

func (s *Server) deleteQueue(c *call) (any, error) {
	q, err := s.queue(c)
	if err != nil {
		return nil, err
	}
	if err := s.allow(c, definitions.Access.MayConfigure, q.Name); err != nil {
		return nil, err
	}
	query := c.URL.Query()
	_, err = c.vhost.DeleteQueue(q.Name, query.Get("if-unused") == "true", query.Get("if-empty") == "true", nil)
	return nil, err
}

func (s *Server) purgeQueue(c *call) (any, error) {
	q, err := s.queue(c)
	if err != nil {
		return nil, err
	}
	if err := s.allow(c, definitions.Access.MayRead, q.Name); err != nil {
		return nil, err
	}
	_, err = c.vhost.PurgeQueue(q.Name, nil)
	return nil, err
}

// queueAction takes what asks a mirrored queue to synchronize: here it always is.
func (s *Server) queueAction(c *call) (any, error) {
	if _, err := s.queue(c); err != nil {
		return nil, err
	}
	body, err := c.require("action")
	if err != nil {
		return nil, err
	}
	action, err := str(body, "action")
	if err != nil {
		return nil, err
	}
	if !slices.Contains([]string{"sync", "cancel_sync"}, action) {
		return nil, badRequest([]any{"unknown", action})
	}
	return nil, nil
}
