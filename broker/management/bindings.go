package management

import (
	"encoding/base64"
	"hash/fnv"
	"net/url"
	"strings"

	"thump/broker/definitions"
	"thump/broker/vhost"
)

// propertiesKey names a binding among those of the same two ends: the routing
// key, encoded, and after a tilde a hash of the arguments. It is opaque to
// clients, which must encode it once more for a path.
func propertiesKey(b vhost.BindingSpec) string {
	key := strings.ReplaceAll(url.QueryEscape(b.Key), "~", "%7E")
	if len(b.Args) == 0 {
		if key == "" {
			return "~"
		}
		return key
	}
	h := fnv.New32a()
	encoded, err := b.Args.Append(nil)
	if err != nil {
		return key // they came out of a field table
	}
	_, _ = h.Write(encoded) // cannot fail
	return key + "~" + base64.RawURLEncoding.EncodeToString(h.Sum(nil))
}

func bindingObject(v *vhost.VHost, b vhost.BindingSpec) object {
	o := bindingDefinition(b)
	o["vhost"] = v.Name()
	o["properties_key"] = propertiesKey(b)
	return o
}

func bindingDefinition(b vhost.BindingSpec) object {
	kind := "queue"
	if b.ToExchange {
		kind = "exchange"
	}
	return object{
		"source": b.Source, "destination": b.Destination, "destination_type": kind,
		"routing_key": b.Key, "arguments": objectOf(b.Args),
	}
}

// bindingList lists the bindings that keep holds for.
func (s *Server) bindingList(c *call, keep func(vhost.BindingSpec) bool) (any, error) {
	seen, err := s.visible(c)
	if err != nil {
		return nil, err
	}
	var items []object
	for _, v := range seen {
		for _, b := range v.Bindings() {
			if keep(b) {
				items = append(items, bindingObject(v, b))
			}
		}
	}
	return list(c, items)
}

func (s *Server) bindings(c *call) (any, error) {
	return s.bindingList(c, func(vhost.BindingSpec) bool { return true })
}

func (s *Server) queueBindings(c *call) (any, error) {
	q, err := s.queue(c)
	if err != nil {
		return nil, err
	}
	return s.bindingList(c, func(b vhost.BindingSpec) bool { return !b.ToExchange && b.Destination == q.Name })
}

func (s *Server) bindingsFrom(c *call) (any, error) {
	x, err := s.exchange(c)
	if err != nil {
		return nil, err
	}
	return s.bindingList(c, func(b vhost.BindingSpec) bool { return b.Source == x.Name })
}

func (s *Server) bindingsTo(c *call) (any, error) {
	x, err := s.exchange(c)
	if err != nil {
		return nil, err
	}
	return s.bindingList(c, func(b vhost.BindingSpec) bool { return b.ToExchange && b.Destination == x.Name })
}

// ends are the two ends of the bindings that a path names.
func ends(c *call) vhost.BindingSpec {
	b := vhost.BindingSpec{Source: exchangeName(c.part("exchange")), Destination: c.part("destination")}
	b.ToExchange = c.part("kind") == "e"
	if b.ToExchange {
		b.Destination = exchangeName(b.Destination)
	}
	return b
}

func (s *Server) bindingsBetween(c *call) (any, error) {
	if err := s.checkEnds(c); err != nil {
		return nil, err
	}
	want := ends(c)
	return s.bindingList(c, func(b vhost.BindingSpec) bool { return between(b, want) })
}

func between(b, want vhost.BindingSpec) bool {
	return b.Source == want.Source && b.Destination == want.Destination && b.ToExchange == want.ToExchange
}

// checkEnds is not found if one of the ends is missing.
func (s *Server) checkEnds(c *call) error {
	if kind := c.part("kind"); kind != "e" && kind != "q" {
		return notFound()
	}
	if _, err := s.exchange(c); err != nil {
		return err
	}
	return nil
}

// binding finds the one binding that the path names. Some clients encode the
// properties key once, some twice.
func (s *Server) binding(c *call) (vhost.BindingSpec, error) {
	want, props := ends(c), c.part("props")
	for _, b := range c.vhost.Bindings() {
		if k := propertiesKey(b); between(b, want) && (k == props || k == url.QueryEscape(props)) {
			return b, nil
		}
	}
	return vhost.BindingSpec{}, notFound()
}

func (s *Server) oneBinding(c *call) (any, error) {
	b, err := s.binding(c)
	if err != nil {
		return nil, err
	}
	return bindingObject(c.vhost, b), nil
}

func (s *Server) postBinding(c *call) (any, error) {
	body, err := c.body()
	if err != nil {
		return nil, err
	}
	b := ends(c)
	if err := s.allowBinding(c, b); err != nil {
		return nil, err
	}
	if b.Key, err = str(body, "routing_key"); err != nil {
		return nil, err
	}
	if b.Args, err = tableOf(body["arguments"]); err != nil {
		return nil, err
	}
	if err := bind(c.vhost, b); err != nil {
		return nil, err
	}
	return created{location: url.PathEscape(b.Destination) + "/" + url.PathEscape(propertiesKey(b))}, nil
}

// allowBinding asks what queue.bind asks: write to the destination, read from the
// source.
func (s *Server) allowBinding(c *call, b vhost.BindingSpec) error {
	if err := s.allow(c, definitions.Access.MayWrite, b.Destination); err != nil {
		return err
	}
	return s.allow(c, definitions.Access.MayRead, b.Source)
}

func bind(v *vhost.VHost, b vhost.BindingSpec) error {
	if b.ToExchange {
		return v.BindExchange(b.Destination, b.Source, b.Key, b.Args)
	}
	return v.BindQueue(b.Destination, b.Source, b.Key, b.Args, nil)
}

func (s *Server) deleteBinding(c *call) (any, error) {
	b, err := s.binding(c)
	if err != nil {
		return nil, err
	}
	if err := s.allowBinding(c, b); err != nil {
		return nil, err
	}
	if b.ToExchange {
		return nil, c.vhost.UnbindExchange(b.Destination, b.Source, b.Key, b.Args)
	}
	return nil, c.vhost.UnbindQueue(b.Destination, b.Source, b.Key, b.Args, nil)
}
