package export

import (
	"cmp"
	"time"

	"github.com/cloudopsec/opsec"
)

// ocsfVersion is the release of the schema that the lines follow.
const ocsfVersion = "1.8.0"

// appendOCSF writes the record as an event of OCSF 1.8.0. What the class has no attribute for stands in unmapped.event.
func (x *Exporter) appendOCSF(b []byte, r *Record) []byte {
	e := r.Event
	rule := x.mapping.of(e)
	class, activity := rule.Class, rule.Activity
	privileges := e.Granted
	if class == AuthorizeSession && len(e.Granted) == 0 {
		privileges, activity = e.Cancelled, other // the class knows no taking away
	}
	name := e.Action
	if activity != other {
		name = activities(class)[activity-1]
	}

	b = appendInt(append(b, '{'), "class_uid", int64(class))
	b = appendField(b, "class_name", className(class))
	b = appendInt(b, "category_uid", int64(class)/1000)
	b = appendInt(b, "activity_id", int64(activity))
	b = appendField(b, "activity_name", cmp.Or(name, "-"))
	b = appendInt(b, "type_uid", int64(class)*100+int64(activity))
	b = appendInt(b, "severity_id", int64(rule.Severity.Rank()))
	b = appendMillis(b, "time", e.Time)
	if !e.Began.IsZero() {
		b = appendMillis(appendMillis(b, "start_time", e.Began), "end_time", e.Time)
	}
	b = appendField(b, "message", e.Action+" "+string(e.Outcome))
	b = appendStatus(b, class, activity, e)
	b = x.appendMetadata(b, e)

	switch class {
	case ComplianceFinding, DetectionFinding:
		b = x.appendFinding(b, class, e)
	default:
		b = append(x.appendActor(append(appendKey(b, "actor"), '{'), e), '}')
		b = append(x.appendSource(append(appendKey(b, "src_endpoint"), '{'), e), '}')
	}
	switch class {
	case AccountChange:
		b = appendUser(b, target(e))
	case Authentication:
		b = appendUser(b, e.Actor)
		b = appendSession(b, e)
		b = appendService(b, e.System)
	case AuthorizeSession:
		who := e.Actor
		if e.Resource.ID != "" {
			who = target(e)
		}
		b = appendUser(b, who)
		b = appendSession(b, e)
		b = appendStrings(b, "privileges", privileges)
	case EntityManagement:
		b = append(appendKey(b, "entity"), `{"uid":`...)
		b = appendString(b, e.Resource.ID)
		b = appendField(b, "type", e.Resource.Type)
		b = appendOrg(b, e.Resource.Tenant)
		b = append(b, '}')
	case APIActivity:
		b = append(appendKey(b, "api"), `{"operation":`...)
		b = appendString(b, cmp.Or(e.Action, "-"))
		b = appendService(b, e.System)
		b = append(b, '}')
		b = appendResources(b, e.Resource)
	}
	b = append(appendKey(b, "unmapped"), '{')
	return append(x.appendProof(b, r), '}', '}')
}

// appendMillis writes OCSF's timestamp_t: milliseconds since 1970, which cuts off what is finer.
func appendMillis(b []byte, name string, t time.Time) []byte {
	return appendInt(b, name, t.UnixMilli())
}

// appendStatus writes how the event ended. In a finding, status_id is the stage of its handling.
func appendStatus(b []byte, class Class, activity int, e *opsec.Event) []byte {
	id := int64(0)
	switch {
	case class == ComplianceFinding || class == DetectionFinding:
		switch activity {
		case 1:
			id = 1 // new
		case 2:
			id = 2 // in progress
		case 3:
			id = 4 // resolved
		}
	case e.Outcome == opsec.Success:
		id = 1
	case e.Outcome == opsec.Failure || e.Outcome == opsec.Denied:
		id = 2
	case e.Outcome == opsec.Pending:
		id = other
		b = appendField(b, "status", string(e.Outcome))
	}
	b = appendInt(b, "status_id", id)
	b = appendField(b, "status_code", string(e.Outcome))
	return appendField(b, "status_detail", e.Reason)
}

func (x *Exporter) appendMetadata(b []byte, e *opsec.Event) []byte {
	b = append(appendKey(b, "metadata"), `{"version":"`+ocsfVersion+`","product":{"name":"opsec","vendor_name":"cloudopsec"}`...)
	b = appendField(b, "uid", string(e.ID))
	b = appendField(b, "event_code", e.Action)
	b = appendField(b, "correlation_uid", string(e.Intent))
	b = appendField(b, "tenant_uid", string(e.Tenant))
	b = appendField(b, "log_name", x.policy.Origin)
	b = append(appendKey(b, "original_time"), '"')
	return append(e.Time.UTC().AppendFormat(b, time.RFC3339Nano), '"', '}')
}

func (x *Exporter) appendFinding(b []byte, class Class, e *opsec.Event) []byte {
	b = append(appendKey(b, "finding_info"), '{')
	b = appendField(b, "uid", cmp.Or(string(e.ID), "-"))
	b = appendField(b, "title", e.Action)
	b = appendField(b, "desc", e.Reason)
	b = append(b, '}')
	if class == ComplianceFinding {
		id := int64(0)
		switch e.Outcome {
		case opsec.Success:
			id = 1 // pass
		case opsec.Failure, opsec.Denied:
			id = 3 // fail
		}
		b = append(appendKey(b, "compliance"), '{')
		b = append(appendInt(appendField(b, "control", e.Action), "status_id", id), '}')
	}
	b = append(appendKey(b, "evidences"), `[{"actor":{`...)
	b = append(x.appendActor(b, e), '}')
	b = append(appendKey(b, "src_endpoint"), '{')
	b = append(x.appendSource(b, e), '}', '}', ']')
	return appendResources(b, e.Resource)
}

// appendActor writes the members of the object actor.
func (x *Exporter) appendActor(b []byte, e *opsec.Event) []byte {
	if e.Actor.Account != "" || e.Actor.Person != "" {
		b = appendUser(b, e.Actor)
	} else {
		b = appendField(b, "app_name", cmp.Or(e.System, x.policy.App))
	}
	return appendSession(b, e)
}

// appendSource writes the members of src_endpoint. The zone of an address stays in unmapped.event: ip_t has a maximum.
func (x *Exporter) appendSource(b []byte, e *opsec.Event) []byte {
	if !e.Actor.IP.IsValid() && e.Actor.Terminal == "" {
		return appendField(b, "svc_name", cmp.Or(e.System, x.policy.App))
	}
	if e.Actor.IP.IsValid() {
		b = append(appendKey(b, "ip"), '"')
		b = append(e.Actor.IP.WithZone("").AppendTo(b), '"')
	}
	return appendField(b, "name", e.Actor.Terminal)
}

// target is the account that an event changes.
func target(e *opsec.Event) opsec.Actor {
	return opsec.Actor{Tenant: e.Resource.Tenant, Account: e.Resource.ID}
}

func appendUser(b []byte, a opsec.Actor) []byte {
	b = append(appendKey(b, "user"), '{')
	if a.Account == "" { // the object wants a name or a uid
		b = appendField(b, "uid", a.Person)
	} else {
		b = appendField(appendField(b, "name", a.Account), "uid_alt", a.Person)
	}
	id := int64(0)
	switch a.Kind {
	case opsec.Human:
		id = 1
	case opsec.System:
		id = 3
	case opsec.Service:
		id = 4
	}
	return append(appendOrg(appendInt(b, "type_id", id), a.Tenant), '}')
}

func appendOrg(b []byte, t opsec.TenantID) []byte {
	if t == "" {
		return b
	}
	return append(appendField(append(appendKey(b, "org"), '{'), "uid", string(t)), '}')
}

func appendSession(b []byte, e *opsec.Event) []byte {
	if e.Actor.Session == "" {
		return b
	}
	b = appendField(append(appendKey(b, "session"), '{'), "uid", e.Actor.Session)
	return append(appendField(b, "terminal", e.Actor.Terminal), '}')
}

func appendService(b []byte, system string) []byte {
	if system == "" {
		return b
	}
	return append(appendField(append(appendKey(b, "service"), '{'), "name", system), '}')
}

func appendResources(b []byte, r opsec.Resource) []byte {
	if r.ID == "" {
		return b
	}
	b = append(appendKey(b, "resources"), `[{"uid":`...)
	b = appendField(appendString(b, r.ID), "type", r.Type)
	if r.Tenant != "" {
		b = append(appendKey(b, "owner"), `{"account":{"uid":`...)
		b = append(appendString(b, string(r.Tenant)), '}', '}')
	}
	return append(appendInt(b, "role_id", 1), '}', ']') // the target
}
