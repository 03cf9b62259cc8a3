package competence

import "github.com/cloudopsec/opsec"

// The actions of the events that a [Register] records, and that its Authorizer is asked for. ActionRead has an event only
// when it is refused.
const (
	ActionRecord   = "competence.record"
	ActionRevoke   = "competence.revoke"
	ActionAcquire  = "competence.acquire"
	ActionSurvey   = "competence.survey"
	ActionWithdraw = "competence.withdraw"
	ActionDrop     = "competence.drop"
	ActionRead     = "competence.read"
)

// The types of the resources that they are about.
const (
	ResourcePerson      = "person"
	ResourceCertificate = "certificate" // with the id "*" when it is about all of them
)

func person(id string) opsec.Resource {
	return opsec.Resource{Tenant: opsec.Provider, Type: ResourcePerson, ID: id}
}

func certificate(id string) opsec.Resource {
	return opsec.Resource{Tenant: opsec.Provider, Type: ResourceCertificate, ID: id}
}

func attr(key, value string) opsec.Attr {
	return opsec.Attr{Key: key, Value: value, Mark: opsec.Tenant}
}

// event tells of what somebody did to something, or tried to.
func (r *Register) event(by opsec.Actor, action string, on opsec.Resource, err error) opsec.Event {
	e := opsec.NewEvent(action, r.now())
	e.Class, e.Outcome, e.Actor, e.Resource = opsec.Critical, opsec.OutcomeOf(err), by, on
	return *e
}
