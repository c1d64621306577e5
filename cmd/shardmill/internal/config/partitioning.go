package config

import (
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/shardmill/shardmill/cmd/shardmill/internal/document"
	"github.com/shardmill/shardmill/processors"
	"github.com/shardmill/shardmill/processors/partition"
	"github.com/shardmill/shardmill/processors/prefix"
)

// partitioning is what a file says of dynamic partitioning, in whatever order.
type partitioning struct {
	given bool // DynamicPartitioningConfiguration
	known bool // whether it is on
	on    bool
	at    document.Place // of Enabled

	deAggregation, extraction document.Place // types of processors; the zero Place if there is none
	query                     parameter      // of extraction

	config                   processors.DynamicPartitioning
	eventAt, formatsAt       document.Place // of eventTime.jq and of eventTime.formats
	active, overflow, events document.Place // members of the shardmill key; the zero Place if nowhere
}

// off reports whether it is known that nothing is partitioned.
func (p *partitioning) off() bool { return !p.given || p.known && !p.on }

// dynamicPartitioning reads DynamicPartitioningConfiguration.
func (l *loader) dynamicPartitioning(p document.Place) {
	pt := &l.partitioning
	pt.given = true
	var retry document.Place
	given, ok := p.Read(document.Shape{Of: "Firehose's DynamicPartitioningConfiguration", Members: map[string]func(document.Place){
		"Enabled":      func(at document.Place) { pt.on, pt.known = at.Boolean(); pt.at = at },
		"RetryOptions": func(at document.Place) { retry = at; idlePartitioning()["RetryOptions"](at) },
	}})
	if ok && !given["Enabled"] {
		p.Fault("has no Enabled; what Firehose then does is not documented: set it to true or false")
	}
	if pt.on && retry.Path != "" {
		retry.NoEffect("what cannot be put is put again until it succeeds, for as long as the stream has the records")
	}
}

// class is Firehose's text about a processor that only partitioning has.
func class(kind string) string {
	return "class com.amazonaws.services.firehose.internal.model." + kind + "Processor can only be present when Dynamic Partitioning is enabled."
}

// metadataExtraction judges a processor MetadataExtraction.
func (l *loader) metadataExtraction(each processor) {
	pt := &l.partitioning
	pt.extraction = each.at
	const engine, rule = "JQ-1.6", "MetaDataExtraction JSON Parsing Engine has to be one of JQ-1.6"
	switch p, ok := each.parameters[engineParameter]; {
	case !ok:
		each.at.Bad("%s", says("give its parameter "+engineParameter+", "+engine, rule))
	case p.usable && p.text != engine:
		p.at.Bad("%s", says("it must be "+engine, rule))
	}
	query, ok := each.parameters[queryParameter]
	if !ok {
		each.at.Bad("give its parameter %s, such as {customer_id:.customer_id}", queryParameter)
		return
	}
	pt.query, pt.config.MetadataExtractionQuery = query, query.text
}

// recordDeAggregation judges a processor RecordDeAggregation, and configures it.
func (l *loader) recordDeAggregation(each processor) {
	const types = "SubRecordType has to be one of JSON, DELIMITED"
	l.partitioning.deAggregation = each.at
	kind, ok := each.parameters[subRecordParameter]
	d := &processors.RecordDeAggregation{SubRecordType: processors.SubRecordType(kind.text)}
	switch {
	case !ok:
		each.at.Bad("%s", says("give its parameter "+subRecordParameter+", JSON or DELIMITED", types))
		return
	case !kind.usable:
		return
	case d.SubRecordType != processors.JSON && d.SubRecordType != processors.Delimited:
		kind.at.Bad("%s", says("it must be JSON or DELIMITED", types))
		return
	}
	delimiter, given := each.parameters[delimiterParameter]
	switch {
	case given && d.SubRecordType == processors.JSON:
		delimiter.at.Bad("it goes with %s DELIMITED; remove it", subRecordParameter)
	case !given && d.SubRecordType == processors.Delimited:
		each.at.Bad("%s", says("give its parameter "+delimiterParameter+", in base64: Cg== for a newline", "Delimiter should be present for DELIMITED"))
	case delimiter.usable:
		text, err := base64.StdEncoding.Strict().DecodeString(delimiter.text)
		if err != nil || len(text) == 0 {
			delimiter.at.Bad("it must be the delimiter in base64: IyMjIw== for ####, Cg== for a newline")
		}
		d.Delimiter = string(text)
	}
	l.config.Delivery.RecordDeAggregation = d
}

func (l *loader) activePartitions(p document.Place) {
	l.partitioning.active = p
	l.partitioning.config.ActivePartitions, _ = p.Integer(1, 1_000_000)
}

func (l *loader) partitionOverflow(p document.Place) {
	l.partitioning.overflow = p
	l.partitioning.config.Overflow = processors.Overflow(p.OneOf(string(processors.OverflowFail), string(processors.OverflowFinish)))
}

// eventTime reads where a record says when what it is of happened.
func (l *loader) eventTime(p document.Place) {
	pt := &l.partitioning
	pt.events = p
	e := &processors.EventTime{}
	given, ok := p.Read(document.Shape{Of: "shardmill.eventTime", Members: map[string]func(document.Place){
		"jq": func(at document.Place) { e.Query, _ = at.Text(); pt.eventAt = at },
		"formats": func(at document.Place) {
			pt.formatsAt = at
			items, _ := at.Items("a list of formats")
			for _, each := range items {
				if s, ok := each.Text(); ok {
					e.Formats = append(e.Formats, s)
				}
			}
		},
	}})
	if ok {
		p.Need(given, "jq", "give the query for the time, such as .timestamp")
	}
	if ok && given["jq"] && e.Query == "" && pt.eventAt.Is("") {
		pt.eventAt.Bad("give the query for the time, such as .timestamp")
	}
	pt.config.EventTime = e
}

// partitions settles what becomes of partitions, once all of the file was read.
func (l *loader) partitions() {
	pt := &l.partitioning
	switch {
	case l.documents.on() && pt.off():
		l.idleWithDocuments(pt.active, pt.overflow, pt.events)
	case pt.off():
		l.unpartitioned()
	case pt.on:
		l.checkPartitioned()
		l.requirePrefixes()
		l.checkKeys()
		l.checkEventTime()
		l.config.Delivery.DynamicPartitioning = &pt.config
	}
}

// unpartitioned refuses what only dynamic partitioning has.
func (l *loader) unpartitioned() {
	pt := &l.partitioning
	for _, at := range []document.Place{pt.extraction, pt.deAggregation} {
		if at.Path != "" {
			at.Bad("%s", says("remove the processor, or set DynamicPartitioningConfiguration.Enabled to true", class(at.Value().Text)))
		}
	}
	for _, at := range []document.Place{pt.active, pt.overflow, pt.events} {
		if at.Path != "" && l.warehouse.on() {
			at.Fault("does nothing with %s: what is loaded is not partitioned; remove it", l.target.Shown())
		} else if at.Path != "" {
			at.Fault("does nothing without dynamic partitioning; remove it, or set DynamicPartitioningConfiguration.Enabled to true")
		}
	}
}

// checkPartitioned applies what dynamic partitioning wants of hints that are given. Ours
// may be smaller.
func (l *loader) checkPartitioned() {
	const size, interval = 64, 60
	h := &l.config.Delivery.Hints
	if h.BeyondFirehose {
		return
	}
	if 0 < h.SizeInMBs && h.SizeInMBs < size {
		l.size.Bad("%s", says("make it 64", "BufferingHints.SizeInMBs must be at least 64 when Dynamic Partitioning is enabled."))
	}
	if h.ZeroBuffering || 0 < h.IntervalInSeconds && h.IntervalInSeconds < interval {
		l.interval.Bad("%s", says("make it 60", "BufferingHints.IntervalInSeconds must be at least 60 seconds when Dynamic Partitioning is enabled."))
	}
}

// requirePrefixes refuses a Prefix without partition keys, unless it is the time of the
// event that makes partitions, and one without an ErrorOutputPrefix.
func (l *loader) requirePrefixes() {
	pt := &l.partitioning
	const wrapped = "The supplied prefix(es) do not satisfy the following constraint: "
	switch {
	case l.prefixWrong, l.hasTimestamps() && pt.config.EventTime != nil:
	case l.prefixAt.Path != "":
		tell(l.prefixAt, l.objects.CheckPartitioning(true))
	default:
		pt.at.Bad("%s", says("give a Prefix that has a partition key, or set it to false",
			wrapped+"S3 Prefix should contain Dynamic Partitioning namespaces when Dynamic Partitioning is enabled"))
	}
	if l.errorsAt.Path == "" && !l.errorsWrong && !l.prefixWrong && (l.prefixAt.Path == "" || l.objects.Literal()) {
		pt.at.Bad("%s", says("give an ErrorOutputPrefix too, for records whose partition keys cannot be found; a literal one will do, such as errors/",
			wrapped+"ErrorOutputPrefix cannot be null or empty when Prefix contains expressions"))
	}
}

// hasTimestamps reports whether the names of objects tell a time by Prefix.
func (l *loader) hasTimestamps() bool {
	given := l.config.Delivery.Prefix
	return !strings.Contains(given, "!{") || strings.Contains(given, "!{timestamp:")
}

// checkKeys holds the keys of the query against those of Prefix, both ways.
func (l *loader) checkKeys() {
	pt := &l.partitioning
	x, err := partition.New(partition.Rules{Query: pt.query.text})
	if err != nil {
		tellOfRules(err, pt.query.at, pt.query.at)
		return
	}
	if l.prefixAt.Path == "" {
		return
	}
	fromQuery := l.objects.KeysOf(prefix.PartitionKeyFromQuery)
	if pt.query.usable {
		unused := without(x.Keys(), fromQuery)
		if len(unused) > 0 {
			pt.query.at.Bad("%s", says(fmt.Sprintf("Prefix has no !{partitionKeyFromQuery:KEY} for %s; add it there, or remove it here", strings.Join(unused, ", ")),
				"MetaDataExtraction JQ Query can't contain keys that are not present in the S3 Prefix expression"))
		}
	}
	switch missing := without(fromQuery, x.Keys()); {
	case len(missing) == 0:
	case pt.extraction.Path == "":
		l.prefixAt.Bad("no query finds %s; add a processor of the type %s", strings.Join(missing, ", "), metadataExtraction)
	case pt.query.usable:
		l.prefixAt.Bad("%s does not find %s; add it there, or remove it here", queryParameter, strings.Join(missing, ", "))
	}
	if keys := l.objects.KeysOf(prefix.PartitionKeyFromLambda); len(keys) > 0 && l.lambdaAt.Path == "" && l.ourTransform.Path == "" {
		l.prefixAt.Bad("nothing gives records the key %s; add a processor of the type %s, or shardmill.transform", strings.Join(keys, ", "), lambda)
	}
}

// without returns those of a that b does not have.
func without(a, b []string) (out []string) {
	for _, s := range a {
		if !slices.Contains(b, s) {
			out = append(out, s)
		}
	}
	return out
}

// checkEventTime judges the query for the time of events.
func (l *loader) checkEventTime() {
	pt := &l.partitioning
	e := pt.config.EventTime
	if e == nil {
		return
	}
	if l.prefixAt.Path != "" && !l.hasTimestamps() {
		pt.events.Fault("does nothing, as Prefix has no timestamp; add one, such as !{timestamp:yyyy}, or remove it")
	}
	if e.Query == "" {
		return
	}
	_, err := partition.New(partition.Rules{EventTime: e.Query, Formats: e.Formats})
	tellOfRules(err, pt.eventAt, pt.formatsAt)
}

// tellOfRules says what is wrong with a query, or with formats.
func tellOfRules(err error, query, formats document.Place) {
	for _, each := range flat(err) {
		e, ok := errors.AsType[*partition.Error](each)
		if !ok {
			query.Bad("%s", each.Error())
			continue
		}
		remedy := e.Remedy
		if e.Rule != "" {
			remedy = says(remedy, e.Rule)
		}
		if e.Field == "Formats" {
			formats.Fault("%s; %s", e.Reason, remedy)
		} else {
			query.Bad("it %s; %s", e.Reason, remedy)
		}
	}
}

// flat returns the errors that err joins; none for nil.
func flat(err error) (out []error) {
	joined, ok := err.(interface{ Unwrap() []error })
	switch {
	case err == nil:
	case !ok:
		out = append(out, err)
	default:
		for _, each := range joined.Unwrap() {
			out = append(out, flat(each)...)
		}
	}
	return out
}
