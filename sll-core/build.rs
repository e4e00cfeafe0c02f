//! Compiles the shims that ask LibTorch about its memory and its calls and call what tch does not, where the feature
//! `tch` asks for LibTorch.

fn main() {
    #[cfg(feature = "tch")]
    shim();
}

#[cfg(feature = "tch")]
fn shim() {
    println!("cargo:rerun-if-changed=shim");
    // torch-sys has found LibTorch and says where; its headers lie beside its libraries.
    let lib = std::env::var("DEP_TCH_LIBTORCH_LIB").expect("torch-sys tells where LibTorch's libraries are");
    let headers = std::path::Path::new(&lib).with_file_name("include");
    let abi = std::env::var("LIBTORCH_CXX11_ABI").unwrap_or_else(|_| "1".to_owned());
    cc::Build::new()
        .cpp(true)
        .std("c++17")
        .warnings(false)
        .define("_GLIBCXX_USE_CXX11_ABI", &*abi)
        // As the library was built: some of its classes have other members without.
        .define("NDEBUG", None)
        .include(&headers)
        .include(headers.join("torch/csrc/api/include"))
        .files(["shim/calls.cpp", "shim/kernels.cpp", "shim/libtorch.cpp"])
        .compile("sll_libtorch");
    // After the shim, which is in need of them.
    for library in ["torch_cpu", "c10"] {
        println!("cargo:rustc-link-lib={library}");
    }
    println!("cargo:rustc-link-search=native={lib}");
}
