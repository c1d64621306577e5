package config

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/shardmill/shardmill/cmd/shardmill/internal/document"
)

// Firehose's ProcessorType and ProcessorParameterName.
const (
	appendDelimiter     = "AppendDelimiterToRecord"
	cloudWatchLogs      = "CloudWatchLogProcessing"
	decompression       = "Decompression"
	lambda              = "Lambda"
	metadataExtraction  = "MetadataExtraction"
	recordDeAggregation = "RecordDeAggregation"

	arnParameter          = "LambdaArn"
	compressionParameter  = "CompressionFormat"
	dataMessageExtraction = "DataMessageExtraction"
	delimiterParameter    = "Delimiter"
	engineParameter       = "JsonParsingEngine"
	intervalParameter     = "BufferIntervalInSeconds"
	queryParameter        = "MetadataExtractionQuery"
	retriesParameter      = "NumberOfRetries"
	roleParameter         = "RoleArn"
	sizeParameter         = "BufferSizeInMBs"
	subRecordParameter    = "SubRecordType"
)

const (
	maxProcessors    = 5
	longestParameter = 5120 // characters
)

// parametersOf returns the parameters of each type of processor, the types and
// all parameters in Firehose's order.
func parametersOf() (byType map[string][]string, types, all []string) {
	byType = map[string][]string{
		appendDelimiter:     {delimiterParameter},
		cloudWatchLogs:      {dataMessageExtraction},
		decompression:       {compressionParameter},
		lambda:              {arnParameter, retriesParameter, roleParameter, sizeParameter, intervalParameter},
		metadataExtraction:  {queryParameter, engineParameter},
		recordDeAggregation: {subRecordParameter, delimiterParameter},
	}
	types = []string{decompression, lambda, recordDeAggregation, metadataExtraction, appendDelimiter, cloudWatchLogs}
	all = []string{
		dataMessageExtraction, retriesParameter, delimiterParameter, roleParameter, engineParameter, subRecordParameter,
		queryParameter, intervalParameter, arnParameter, sizeParameter, compressionParameter,
	}
	return byType, types, all
}

const processorsWanted = "A maximum of 5 and a minimum of 1 processor needs to be supplied when processing is enabled."

// processing reads a ProcessingConfiguration, which does nothing unless Enabled is
// true.
func (l *loader) processing(p document.Place) {
	on := false
	var list document.Place
	given, ok := p.Read(document.Shape{Of: "Firehose's ProcessingConfiguration", Members: map[string]func(document.Place){
		"Enabled":    func(at document.Place) { on, _ = at.Boolean() },
		"Processors": func(at document.Place) { list = at },
	}})
	switch {
	case !ok || !on:
		if given["Processors"] {
			idleProcessors()(list)
		}
	case !given["Processors"]:
		p.Fault("%s", says("has no Processors; give 1 to 5 of them, or set Enabled to false", processorsWanted))
	default:
		l.processors(list)
	}
}

// processors reads the processors of a list, one of each type.
func (l *loader) processors(list document.Place) {
	items, ok := list.Items("a list of processors")
	if !ok {
		return
	}
	if len(items) == 0 || len(items) > maxProcessors {
		list.Fault("%s", says(fmt.Sprintf("has %d processors; give 1 to 5, or set Enabled to false", len(items)), processorsWanted))
	}
	var all []processor
	for _, at := range items {
		each := readProcessor(at)
		before := slices.IndexFunc(all, func(p processor) bool { return p.kind == each.kind })
		switch {
		case each.kind == "":
		case before < 0:
			all = append(all, each)
		default:
			remedy := fmt.Sprintf("there is one in line %d already; remove one", all[before].at.Line)
			if each.kind == lambda {
				remedy = says(remedy, "Cannot have more than 1 Lambda processor.")
			}
			each.at.Bad("%s", remedy)
		}
	}
	decompressed := slices.ContainsFunc(all, func(p processor) bool { return p.kind == decompression })
	for _, each := range all {
		l.process(each, decompressed)
	}
}

// processor is one of a list.
type processor struct {
	kind       string         // its type; "" if it has none
	at         document.Place // of the type
	parameters map[string]parameter
}

func readProcessor(p document.Place) processor {
	each := processor{parameters: map[string]parameter{}}
	var parameters []document.Place
	_, types, _ := parametersOf()
	given, ok := p.Read(document.Shape{Of: "Firehose's Processor", Members: map[string]func(document.Place){
		"Type": func(at document.Place) {
			s, ok := at.Text()
			if ok && !slices.Contains(types, s) {
				at.Bad("%s", says("choose "+strings.Join(types[:len(types)-1], ", ")+" or "+types[len(types)-1], constraint(at, "Member must satisfy enum value set: ["+strings.Join(types, ", ")+"]")))
				return
			}
			each.kind, each.at = s, at
		},
		"Parameters": func(at document.Place) { parameters, _ = at.Items("a list of parameters") },
	}})
	if ok {
		p.Need(given, "Type", "give the processor's type")
	}
	for _, at := range parameters {
		each.read(at)
	}
	return each
}

// read reads one of the processor's parameters.
func (each *processor) read(p document.Place) {
	var name string
	var nameAt document.Place
	var value parameter
	given, ok := p.Read(document.Shape{Of: "Firehose's ProcessorParameter", Members: map[string]func(document.Place){
		"ParameterName":  func(at document.Place) { name, _ = at.Text(); nameAt = at },
		"ParameterValue": func(at document.Place) { value = readParameter(at) },
	}})
	if !ok {
		return
	}
	p.Need(given, "ParameterName", "give the parameter's name")
	p.Need(given, "ParameterValue", "give the parameter's value")
	byType, _, all := parametersOf()
	_, twice := each.parameters[name]
	switch {
	case name == "":
	case !slices.Contains(all, name):
		nameAt.Bad("%s", says("remove it", constraint(nameAt, "Member must satisfy enum value set: ["+strings.Join(all, ", ")+"]")))
	case each.kind != "" && !slices.Contains(byType[each.kind], name):
		nameAt.Bad("it is no parameter of %s; that has %s", each.kind, strings.Join(byType[each.kind], ", "))
	case twice:
		nameAt.Bad("it is there twice; remove one")
	default:
		each.parameters[name] = value // one that is missing is told of
	}
}

// parameter is the value of a processor's parameter.
type parameter struct {
	at     document.Place
	text   string
	usable bool // whether text is what Firehose's bounds allow
}

func readParameter(p document.Place) parameter {
	if p.Is("\n") { // a text may have no control characters otherwise
		return parameter{p, "\n", true}
	}
	s, ok := p.Text()
	switch n := utf8.RuneCountInString(s); {
	case !ok:
	case n < 1:
		p.Bad("%s", says("give a value", constraint(p, "Member must have length greater than or equal to 1")))
		ok = false
	case n > longestParameter:
		p.Fault("%s", says(fmt.Sprintf("has %d characters; at most %d are allowed", n, longestParameter),
			constraint(p, fmt.Sprintf("Member must have length less than or equal to %d", longestParameter))))
		ok = false
	}
	return parameter{p, s, ok}
}

// process judges a processor, and configures it.
func (l *loader) process(each processor, decompressed bool) {
	if l.documents.on() && !l.ofDocuments(each) || l.warehouse.on() && !ofWarehouse(each) {
		return
	}
	switch each.kind {
	case appendDelimiter:
		delimiter(each.parameters[delimiterParameter])
		l.config.Delivery.AppendDelimiterToRecord = true
	case decompression:
		if p := each.parameters[compressionParameter]; p.usable && p.text != "GZIP" {
			p.at.Bad("it must be GZIP, or remove the parameter")
		}
		l.config.Delivery.Decompression = true
	case cloudWatchLogs:
		l.config.Delivery.CloudWatchLogProcessing = each.extraction()
		if !decompressed {
			each.at.Bad("%s", says("add a processor of the type "+decompression, "CloudWatchLogProcessingProcessor can only be enabled with DecompressionProcessor"))
		}
	case lambda:
		l.lambda(each)
	case metadataExtraction:
		l.metadataExtraction(each)
	case recordDeAggregation:
		l.recordDeAggregation(each)
	}
}

// ofDocuments reports whether a processor acts on documents. It tells if not.
func (l *loader) ofDocuments(each processor) bool {
	switch each.kind {
	case appendDelimiter:
		delimiter(each.parameters[delimiterParameter])
		each.at.NoEffect("documents are told apart by the cluster, and nothing is between them")
	case cloudWatchLogs, recordDeAggregation:
		each.at.Bad("it goes with S3 alone, since it makes several records of one, or none; remove the processor")
	case metadataExtraction:
		each.at.Bad("it goes with S3 alone, since documents are not partitioned; remove the processor")
	default:
		return true
	}
	return false
}

// ofWarehouse reports whether a processor acts on what is loaded. It tells if not.
func ofWarehouse(each processor) bool {
	if each.kind != recordDeAggregation && each.kind != metadataExtraction {
		return true
	}
	each.at.Bad("%s", says("it goes with S3 alone, as what is loaded is not partitioned; remove the processor", class(each.kind)))
	return false
}

// delimiter accepts the ways in which configurations write a newline. No other
// delimiter is documented.
func delimiter(p parameter) {
	if p.usable && !slices.Contains([]string{"\n", `\n`, `\\n`}, p.text) {
		p.at.Bad(`it must be \n: Firehose documents no other delimiter; remove the parameter`)
	}
}

// extraction judges the parameter of CloudWatchLogProcessing, and returns whether
// messages are to be extracted.
func (each processor) extraction() bool {
	p, ok := each.parameters[dataMessageExtraction]
	switch {
	case !ok:
		each.at.Bad("it has no parameter %s; give it, true or false", dataMessageExtraction)
	case p.usable && !strings.EqualFold(p.text, "true") && !strings.EqualFold(p.text, "false"):
		p.at.Bad("%s", says("it must be true or false", "Invalid parameter value for DataMessageExtraction. Allowed values are True and False."))
	}
	return strings.EqualFold(p.text, "true")
}
