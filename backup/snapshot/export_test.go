package snapshot

// AnalyzeWithin is Analyze with less work that it may do beyond one look at each node.
func (g *Graph) AnalyzeWithin(m FailureModel, p *Profile, work int) (*Report, error) {
	return g.analyze(m, p, work)
}

// FlattenWithin is Flatten with fewer options that it may look at.
func (g *Graph) FlattenWithin(m FailureModel, b Budget, options int) (*Plan, error) {
	return g.flatten(m, b, options)
}
