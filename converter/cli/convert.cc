// kinglet convert: a checkpoint folder to a .kgl file.
#include "convert.h"

#include <CLI/CLI.hpp>
#include <optional>

#include "cli/command.h"
#include "cli/progress.h"
#include "cli/stream.h"
#include "cli/text.h"
#include "report/convert_report.h"

namespace kinglet::cli {

namespace {

class ConvertCommand : public Command {
 public:
  const char* name() const override { return "convert"; }
  const char* summary() const override { return "Convert a checkpoint to a .kgl file"; }
  const char* arguments() const override { return "SRC -o OUT.kgl"; }
  const char* manual() const override {
    return "Reads a Hugging Face or sentence-transformers folder (or a weights file inside one) and writes one file\n"
           "that holds all an app must ship: weights, tokenizer, labels, prompts and a self-test. OUT is written\n"
           "under a temporary name and renamed when it is complete: it is never half a file.\n"
           "\n"
           "--precision int8 (the default) stores matrices and embedding tables in 8 bits and computes with them;\n"
           "fp32 keeps everything as it is. --keep-fp32 excepts matrices by name, with * and ? as in file names;\n"
           "`kinglet inspect` shows the names. --task says what the model is for where the checkpoint does not.\n"
           "\n"
           "--calibration F shows the model texts like those it is for and rounds so that its answers to them stay.\n"
           "F is a data file, labels not needed (TSV with a header line, NAME.conll, SQuAD NAME.json), or has a text\n"
           "a line. 128 of them are drawn; it takes a minute or so. --sensitivity measures every matrix on them.\n"
           "--max-loss X keeps the fewest matrices in fp32 such that at most X points are lost: of the usual metric\n"
           "on --dev DATA, or else of the answers to the calibration texts (per cent with another label;\n"
           "100·(1 − mean cosine)).\n"
           "\n"
           "--report writes a page about the conversion, one HTML file to show a colleague: what went in and came out,\n"
           "sizes by part, and how fast fp32 and the output are here. With --dev, a data file as kinglet eval reads it,\n"
           "it also says how well both answer, how sure that is, and which texts are answered differently.\n"
           "\n"
           "Examples:\n"
           "  kinglet convert all-MiniLM-L6-v2 -o minilm.kgl\n"
           "  kinglet convert all-MiniLM-L6-v2 -o minilm.kgl --calibration texts.txt\n"
           "  kinglet convert my-classifier -o c.kgl --labels negative,positive --keep-fp32 '*classifier*'\n"
           "  kinglet convert my-classifier -o c.kgl --calibration train.tsv --max-loss 0.2 --dev dev.tsv\n"
           "  kinglet convert my-classifier -o c.kgl --dev dev.tsv --report c.html";
  }

  void add_options(CLI::App& app) override {
    app.add_option("-o,--output", output_, "The file to write; an existing one is replaced")->type_name("OUT.kgl");
    app.add_option("--precision", precision_, "int8 (default) or fp32")
        ->type_name("P")
        ->check(CLI::IsMember({"int8", "fp32"}));
    app.add_option("--task", task_, "What the model is for: embed, classify, tag, answer or fill-mask")
        ->type_name("T")
        ->check(CLI::IsMember({"embed", "classify", "tag", "answer", "fill-mask"}));
    app.add_option("--labels", labels_, "The names of the labels instead of the checkpoint's")->type_name("a,b,…");
    app.add_option("--calibration", calibration_, "Texts that the 8-bit numbers are chosen by: a data file, or lines")
        ->type_name("F");
    add_number(app, "--calibration-texts", &calibration_texts_, 1u << 20, "How many of them to draw (default 128)");
    add_number(app, "--calibration-seed", &calibration_seed_, UINT32_MAX, "Draw them by another seed (default 1)");
    app.add_flag("--sensitivity", sensitivity_, "Print how much each matrix in 8 bits changes the answers");
    app.add_option("--max-loss", max_loss_, "Keep the fewest matrices in fp32 such that X points are lost at most")
        ->type_name("X")
        ->check(CLI::NonNegativeNumber);
    app.add_option("--keep-fp32", keep_fp32_, "Keep the matrices whose names match in fp32; may be repeated")
        ->type_name("PATTERN")
        ->expected(1)
        ->take_all()
        ->allow_extra_args(false);
    app.add_option("--report", report_, "Write a page about it, one HTML file")->type_name("R.html");
    app.add_option("--dev", dev_, "Measure on this data file: before and after for --report, the loss for --max-loss")
        ->type_name("F");
  }

  int run(const std::vector<std::string>& arguments) override {
    check_arguments(*this, arguments, 1, 1);
    if (output_.empty()) {
      throw UsageError("no output file; expected -o OUT.kgl");
    }
    convert::ConvertOptions options;
    options.source = arguments[0];
    options.output = output_;
    options.precision = precision_;
    options.task = task_;
    if (labels_) {
      options.labels = parse_names(*labels_, "--labels");
    }
    options.keep_fp32 = keep_fp32_;
    options.calibration = calibration_;
    options.calibration_texts = calibration_texts_;
    options.calibration_seed = calibration_seed_;
    // The report shows it.
    options.sensitivity = sensitivity_ || (!report_.empty() && !calibration_.empty());
    options.max_loss = max_loss_;
    options.dev = dev_;
    check_calibration();
    convert::ConvertResult result;
    {
      Progress progress;
      options.progress = [&](const std::string& what, double fraction) { progress.show(what, fraction); };
      result = report_.empty()
                   ? convert::convert(options)
                   : convert::convert_with_report(options, {report_, command_line(), 2});
    }
    output().write(shorten(output_, SIZE_MAX) + ": " + group_digits(result.output_bytes) + " bytes, " + precision_ +
                   format(" (%.1f %% of the checkpoint's ", result.source_bytes == 0
                                                                ? 0.0
                                                                : 100.0 * static_cast<double>(result.output_bytes) /
                                                                      static_cast<double>(result.source_bytes)) +
                   group_digits(result.source_bytes) + ")\n");
    print_findings(result);
    for (const convert::Measurement& measured : result.measurements) {
      output().write("  " + measured.pass + ": " + measured.metric +
                     format(" %.4f (95 %%: %.2f to %.2f)\n", measured.value, measured.low, measured.high));
    }
    for (const convert::AgreementFact& fact : result.agreement) {
      output().write("  " + fact.name + ": " + shorten(fact.value, 120) + "\n");
    }
    output().flush();
    return kExitGood;
  }

 private:
  void check_calibration() const {
    if (calibration_.empty() && (sensitivity_ || max_loss_)) {
      throw UsageError("--sensitivity and --max-loss are measured on texts; expected --calibration F as well");
    }
    if (!dev_.empty() && !max_loss_ && report_.empty()) {
      throw UsageError("--dev goes with --report R.html, which shows what was measured, or with --max-loss X");
    }
  }

  void print_findings(const convert::ConvertResult& result) {
    if (sensitivity_) {
      output().write("sensitivity: " + result.sensitivity_meaning + "\n");
      for (const convert::Sensitivity& entry : result.sensitivities) {
        output().write(format("  %.6f  ", entry.error) + shorten(entry.matrix, SIZE_MAX) +
                       (entry.kept_fp32 ? "  (fp32)\n" : "\n"));
      }
    }
    for (const std::string& note : result.notes) {
      output().write(shorten(note, SIZE_MAX) + "\n");
    }
  }

  std::string output_;
  std::string precision_ = "int8";
  std::optional<std::string> task_;
  std::optional<std::string> labels_;
  std::vector<std::string> keep_fp32_;
  std::string calibration_, report_, dev_;
  bool sensitivity_ = false;
  std::optional<double> max_loss_;
  uint32_t calibration_texts_ = 128, calibration_seed_ = 1;
};

}  // namespace

std::unique_ptr<Command> make_convert_command() { return std::make_unique<ConvertCommand>(); }

}  // namespace kinglet::cli
