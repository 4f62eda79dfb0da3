// Needs ../../../../build/android/maven/kinglet-android-0.1.0.aar (platforms/android/build) and a model as
// src/main/assets/minilm.kgl (kinglet convert all-MiniLM-L6-v2 -o …).
plugins {
    id("com.android.application") version "8.5.2"
    id("org.jetbrains.kotlin.android") version "1.9.25"
}

android {
    namespace = "org.kinglet.sample"
    compileSdk = 34
    defaultConfig {
        applicationId = "org.kinglet.sample"
        minSdk = 24
        targetSdk = 34
        versionCode = 1
        versionName = "1.0"
        ndk { abiFilters += listOf("arm64-v8a", "x86_64") }
    }
    // Models are used where they lie in the APK, which must not compress them.
    androidResources { noCompress += "kgl" }
    compileOptions {
        sourceCompatibility = JavaVersion.VERSION_1_8
        targetCompatibility = JavaVersion.VERSION_1_8
    }
    kotlinOptions { jvmTarget = "1.8" }
}

dependencies {
    implementation(files("../../../../build/android/maven/kinglet-android-0.1.0.aar"))
    implementation("org.jetbrains.kotlinx:kotlinx-coroutines-android:1.8.1")
}
