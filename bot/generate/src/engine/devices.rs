//! Which devices of this machine a model computes on, and whether this build supports them.

use std::fmt;
use std::path::Path;

use llama_cpp_2::{
    LlamaBackendDevice, LlamaBackendDeviceType, list_llama_ggml_backend_devices as all_devices,
};

use super::EngineConfig;

/// Where NVIDIA's driver tells its version.
const NVIDIA_DRIVER: &str = "/proc/driver/nvidia/version";
/// Why a card lies idle.
const UNUSED: &str = if cfg!(feature = "cuda") {
    "CUDA's libraries (libcudart, libcublas) are not found"
} else {
    "this build does not use it: build with `make build FEATURES=cuda`"
};

/// An instruction set, and whether llama.cpp was compiled for it and this processor has it.
struct Instructions {
    name: &'static str,
    compiled: bool,
    present: bool,
}

/// Checks that this processor has what llama.cpp was compiled for: else it would be killed at the first
/// instruction that it does not know.
///
/// # Errors
/// What is missing and what to do, as part of a sentence.
pub(super) fn check_processor() -> Result<(), String> {
    let lacking = lacking(&instructions());
    // Of libraries, the one for this processor is loaded.
    if lacking.is_empty() || cfg!(feature = "libraries") {
        return Ok(());
    }
    Err(format!(
        "this program was built for a processor with {}, which this one lacks; build it on this machine with \
         `make build`",
        lacking.join(", ")
    ))
}

fn lacking(instructions: &[Instructions]) -> Vec<&'static str> {
    let lacking = instructions
        .iter()
        .filter(|set| set.compiled && !set.present);
    lacking.map(|set| set.name).collect()
}

/// The switches are those of llama.cpp's build, which this crate is compiled with as well: `bot/setup.sh`
/// writes them. Without them llama.cpp takes the first four to be there.
#[cfg(target_arch = "x86_64")]
fn instructions() -> [Instructions; 9] {
    let usual = |switch: Option<&str>| switch != Some("OFF");
    let rare = |switch: Option<&str>| switch == Some("ON");
    let set = |name, compiled, present| Instructions {
        name,
        compiled,
        present,
    };
    [
        set(
            "AVX2",
            usual(option_env!("GGML_AVX2")),
            is_x86_feature_detected!("avx2"),
        ),
        set(
            "BMI2",
            usual(option_env!("GGML_BMI2")),
            is_x86_feature_detected!("bmi2"),
        ),
        set(
            "F16C",
            usual(option_env!("GGML_F16C")),
            is_x86_feature_detected!("f16c"),
        ),
        set(
            "FMA",
            usual(option_env!("GGML_FMA")),
            is_x86_feature_detected!("fma"),
        ),
        set(
            "AVX-VNNI",
            rare(option_env!("GGML_AVX_VNNI")),
            is_x86_feature_detected!("avxvnni"),
        ),
        set(
            "AVX-512",
            rare(option_env!("GGML_AVX512")),
            is_x86_feature_detected!("avx512f")
                && is_x86_feature_detected!("avx512cd")
                && is_x86_feature_detected!("avx512vl")
                && is_x86_feature_detected!("avx512dq")
                && is_x86_feature_detected!("avx512bw"),
        ),
        set(
            "AVX-512 VBMI",
            rare(option_env!("GGML_AVX512_VBMI")),
            is_x86_feature_detected!("avx512vbmi"),
        ),
        set(
            "AVX-512 VNNI",
            rare(option_env!("GGML_AVX512_VNNI")),
            is_x86_feature_detected!("avx512vnni"),
        ),
        set(
            "AVX-512 BF16",
            rare(option_env!("GGML_AVX512_BF16")),
            is_x86_feature_detected!("avx512bf16"),
        ),
    ]
}

#[cfg(not(target_arch = "x86_64"))]
fn instructions() -> [Instructions; 0] {
    []
}

/// A graphics card that layers of a model go to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Card {
    /// As its maker calls it.
    pub(super) name: String,
    /// Its memory.
    pub(super) total_bytes: usize,
    /// What is free of that.
    pub(super) free_bytes: usize,
}

/// The cards that an engine with `config` computes with; llama.cpp has been started.
pub(super) fn cards(config: &EngineConfig) -> Vec<Card> {
    cards_of(&all_devices(), config)
}

fn cards_of(devices: &[LlamaBackendDevice], config: &EngineConfig) -> Vec<Card> {
    use LlamaBackendDeviceType::{Gpu, IntegratedGpu};
    let is_used = |device: &&LlamaBackendDevice| {
        config.gpu_layers != Some(0) && matches!(device.device_type, Gpu | IntegratedGpu)
    };
    let card = |device: &LlamaBackendDevice| Card {
        name: device.description.clone(),
        total_bytes: device.memory_total,
        free_bytes: device.memory_free,
    };
    devices.iter().filter(is_used).map(card).collect()
}

/// What a model of so many `layers` computes with, as an operator reads it.
pub(super) fn describe(config: &EngineConfig, cards: &[Card], layers: u32) -> String {
    describe_with(config, cards, layers, Path::new(NVIDIA_DRIVER).exists())
}

fn describe_with(config: &EngineConfig, cards: &[Card], layers: u32, has_driver: bool) -> String {
    let threads = config.threads();
    let processor = format!("{threads} thread{}", if threads == 1 { "" } else { "s" });
    match (cards, config.gpu_layers) {
        (_, Some(0)) => format!("{processor}, as gpu_layers = 0 wants"),
        ([], _) if has_driver => format!("{processor}; there is an NVIDIA GPU, but {UNUSED}"),
        ([], _) => processor,
        (cards, wanted) => {
            let offloaded = wanted.map_or(layers, |wanted| wanted.min(layers));
            let cards: Vec<_> = cards.iter().map(Card::to_string).collect();
            format!("{}, {offloaded} of {layers} layers", cards.join(" and "))
        }
    }
}

impl fmt::Display for Card {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let gibibytes = self.total_bytes as f64 / f64::from(1 << 30);
        write!(f, "{} ({gibibytes:.0} GiB)", self.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn device(device_type: LlamaBackendDeviceType) -> LlamaBackendDevice {
        LlamaBackendDevice {
            index: 0,
            name: "CUDA0".to_owned(),
            description: "NVIDIA H200".to_owned(),
            backend: "CUDA".to_owned(),
            memory_total: 140 << 30,
            memory_free: 139 << 30,
            device_type,
        }
    }

    fn config(gpu_layers: Option<u32>) -> EngineConfig {
        EngineConfig {
            threads: Some(2),
            gpu_layers,
            ..EngineConfig::new("model.gguf", "model")
        }
    }

    #[test]
    fn this_machine_runs_what_was_built_on_it() {
        check_processor().unwrap();
    }

    #[test]
    fn what_a_processor_lacks_is_named() {
        let set = |name, compiled, present| Instructions {
            name,
            compiled,
            present,
        };
        let sets = [
            set("AVX2", true, true),
            set("AVX-512", true, false),
            set("AMX", false, false),
        ];
        assert_eq!(lacking(&sets), ["AVX-512"]);
    }

    /// What is told of `devices` where NVIDIA's driver is there.
    fn told(devices: &[LlamaBackendDevice], gpu_layers: Option<u32>) -> String {
        let config = config(gpu_layers);
        describe_with(&config, &cards_of(devices, &config), 28, true)
    }

    #[test]
    fn a_card_is_named_with_what_it_computes() {
        let card = [device(LlamaBackendDeviceType::Gpu)];
        assert_eq!(told(&card, None), "NVIDIA H200 (140 GiB), 28 of 28 layers");
        assert_eq!(
            told(&card, Some(10)),
            "NVIDIA H200 (140 GiB), 10 of 28 layers"
        );
        assert_eq!(told(&card, Some(0)), "2 threads, as gpu_layers = 0 wants");
    }

    #[test]
    fn a_card_that_lies_idle_is_told() {
        let processor = [device(LlamaBackendDeviceType::Cpu)];
        let told = told(&processor, None);
        assert!(told.contains("NVIDIA GPU"), "{told}");
        assert_eq!(describe_with(&config(None), &[], 28, false), "2 threads");
    }
}
