package report

func (src *Source) sum(who Audience) Document { return Document{} }
